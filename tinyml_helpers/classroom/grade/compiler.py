"""The process that compiles the C of a submission: locked in, but for starting a compiler.

It reads the text and no answer, and runs nothing of it: what comes out goes to the process that judges,
which has it carried out on an emulated core.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from tinyml_helpers.classroom.grade import channel
from tinyml_helpers.mcu.target import toolchain


def respond(message: dict[str, Any]) -> dict[str, str]:
    """Compile what a message holds, file name -> C text; return the program or the compiler's errors."""
    try:
        image = toolchain.compile_c({str(name): str(text) for name, text in message["compile"].items()})
    except toolchain.ToolchainError as error:
        return {"error": str(error)[:4000]}
    except (KeyError, AttributeError, ValueError, OSError) as error:
        return {"error": f"error: {error!s:.400}"}
    return {"elf": base64.b64encode(image.elf).decode(), "core": image.core}


def main() -> None:
    """Lock this process in, say what holds, then compile one program after the other."""
    line = channel.lock_in()
    for message in line:
        line.send(json.dumps(respond(json.loads(message))))
