// The build puts the package's module here; these are its types.
export * from "@xterm/addon-webgl";
