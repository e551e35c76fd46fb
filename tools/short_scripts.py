"""The page's own scripts as they travel: without comments and blanks, and with short names inside.

terser makes them. The names that modules import and export, and all strings, stay as they are; a
browser's debugger shows the rest as terser has named it, and the source is served beside the page.
"""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

TERSER = Path(__file__).parent.parent / "web" / "node_modules" / "terser" / "main.js"
# Some hosts send scripts as Latin-1, so what is not ASCII stays an escape.
SHORTEN = """
    const { minify } = await import(process.argv[1]);
    const files = JSON.parse((await import("node:fs")).readFileSync(0, "utf8"));
    const options = { module: true, compress: false, mangle: true, format: { ascii_only: true } };
    for (const name in files) files[name] = (await minify(files[name], options)).code + "\\n";
    console.log(JSON.stringify(files));
"""


def shortened(scripts: Mapping[str, str]) -> dict[str, str]:
    """These modules, by name, as they travel."""
    command = ["node", "--input-type=module", "-e", SHORTEN, TERSER.as_uri()]
    made = subprocess.run(
        command, input=json.dumps(scripts), capture_output=True, text=True, check=True
    )
    short: dict[str, str] = json.loads(made.stdout)
    return short
