"""Machine code as text: the loop of a firmware that runs most, and what its instructions do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyml_helpers.mcu.target.emulator import Machine
from tinyml_helpers.mcu.target.image import Image

_MEANING = {
    "smlad": "two products, added to a sum",
    "ldm": "load several words",
    "ldrd": "load two words",
    "ldr": "load a word",
    "uxtb16": "bytes 0 and 2, to 16 bits each",
    "sxtb16": "bytes 0 and 2, to 16 bits each, with sign",
    "muls": "multiply",
    "mla": "a product, added to a sum",
    "subs": "count down; is 0 left?",
    "bne": "if not, jump back",
}


@dataclass(frozen=True)
class Instruction:
    """One instruction: its name without a width, and its operands."""

    name: str
    operands: str


@dataclass(frozen=True, repr=False)
class Loop:
    """A block of instructions that runs through without a jump; prints as a listing.

    Attributes:
        function: the function that holds it.
        instructions: of one turn. The emulator cuts a very long block in parts.
        turns: how many times they ran.
        executed: instructions of the whole run.
    """

    function: str
    instructions: tuple[Instruction, ...]
    turns: int
    executed: int

    @property
    def share(self) -> float:
        """Part of the whole run that is spent here."""
        return len(self.instructions) * self.turns / self.executed

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one turn: SMLAD makes two."""
        names = [instruction.name for instruction in self.instructions]
        return 2 * names.count("smlad") + names.count("mla") + names.count("muls")

    def __repr__(self) -> str:
        """The listing; a pattern that comes several times in a row is shown once."""
        names = [instruction.name for instruction in self.instructions]
        length, times = _pattern(names)
        lines = [f"  {i.name:<8}{i.operands:<24}{_MEANING.get(i.name, '')}" for i in self.instructions]
        if times > 1:
            again = f"  ... these {length} instructions {times} times in a row, then"
            lines = [*lines[:length], again, *lines[length * times :]]
        head = f"{self.function}(): {len(names)} instructions a turn, {self.macs} MACs"
        return "\n".join([head, *(line.rstrip() for line in lines)])


def find_hot_loop(image: Image) -> Loop:
    """Run a program once and disassemble the block of instructions that took the greatest part.

    Args:
        image: the program; its input stays at zero.

    Raises:
        EmulatorError: the program did not end well.
    """
    machine = Machine(image)
    executed = machine.run(limit=10_000_000_000).instructions
    blocks = [
        (block.address, _disassemble(image, block.address, block.size_bytes), block.entries)
        for block in machine.blocks()
    ]
    address, instructions, turns = max(blocks, key=lambda block: len(block[1]) * block[2])
    return Loop(image.function_at(address) or "", instructions, turns, executed)


def _disassemble(image: Image, address: int, size: int) -> tuple[Instruction, ...]:
    from capstone import CS_ARCH_ARM, CS_MODE_MCLASS, CS_MODE_THUMB, CS_OPT_SYNTAX_NOREGNAME, Cs

    decoder = Cs(CS_ARCH_ARM, CS_MODE_THUMB | CS_MODE_MCLASS)
    decoder.syntax = CS_OPT_SYNTAX_NOREGNAME  # r9, not sb
    base, content = next(
        (base, content) for base, content in image.segments() if base <= address < base + len(content)
    )
    code = content[address - base : address - base + size]
    return tuple(
        Instruction(name.split(".")[0], operands)
        for _, _, name, operands in decoder.disasm_lite(code, address)
    )


def _pattern(names: Sequence[str]) -> tuple[int, int]:
    """Length of a start that repeats at once, and how often: whichever covers most names."""
    found = {len(names): 1}
    for length in range(2, len(names) // 2 + 1):
        found[length] = 1
        while names[found[length] * length :][:length] == names[:length]:
            found[length] += 1
    repeated = {length: times for length, times in found.items() if times > 1}
    best = max(repeated, key=lambda length: (length * repeated[length], -length), default=len(names))
    return best, found[best]
