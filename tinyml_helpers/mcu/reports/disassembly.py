"""Machine code as text: the loop of a firmware that runs most, and what its instructions do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tinyml_helpers.mcu.target.cores import ARM, CORES, RISCV, Architecture
from tinyml_helpers.mcu.target.emulator import Machine
from tinyml_helpers.mcu.target.image import Image

_MEANING: Mapping[Architecture, Mapping[str, str]] = {
    ARM: {
        "smlad": "two products, added to a sum",
        "smlabb": "a product, added to a sum",
        "ldm": "load several words",
        "ldrd": "load two words",
        "ldr": "load a word",
        "ldrsb": "load a byte, with sign",
        "uxtb16": "bytes 0 and 2, to 16 bits each",
        "sxtb16": "bytes 0 and 2, to 16 bits each, with sign",
        "muls": "multiply",
        "mla": "a product, added to a sum",
        "subs": "count down; is 0 left?",
        "bne": "if not, jump back",
    },
    RISCV: {
        "lw": "load a word",
        "lh": "load 16 bits, with sign",
        "lb": "load a byte, with sign",
        "lbu": "load a byte",
        "mul": "multiply",
        "add": "add",
        "addi": "add a constant: the next address, or a count",
        "bne": "if they differ, jump",
        "bnez": "if it is not 0, jump",
    },
}
_MACS = {ARM: {"smlad": 2, "smlabb": 1, "mla": 1, "muls": 1}, RISCV: {"mul": 1}}


@dataclass(frozen=True)
class Instruction:
    """One instruction: its bytes in flash, its name without a width, its operands.

    `meaning` is what it does, where that is known, and `macs` how many multiply-accumulates it makes.
    """

    code: bytes
    name: str
    operands: str
    meaning: str = ""
    macs: int = 0


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
        return sum(instruction.macs for instruction in self.instructions)

    @property
    def last_product(self) -> tuple[Instruction, ...]:
        """The last instruction of a turn that multiplies, after the loads that fetch what it takes.

        Raises:
            ValueError: none of a turn multiplies.
        """
        places = [place for place, one in enumerate(self.instructions) if one.macs]
        if not places:
            raise ValueError(f"no instruction of the loop in {self.function}() multiplies")
        product, found = self.instructions[places[-1]], list[Instruction]()
        operands = product.operands.split(", ")
        wanted = set(operands[1:] if len(operands) > 2 else operands)
        for one in reversed(self.instructions[: places[-1]]):
            written = one.operands.partition(", ")[0]
            if written in wanted and one.name.startswith("l"):  # ldrsb, lb: loads
                found.insert(0, one)
            wanted.discard(written)
        return (*found, product)

    def __repr__(self) -> str:
        """The listing; a pattern that comes several times in a row is shown once."""
        names = [instruction.name for instruction in self.instructions]
        length, times = _pattern(names)
        lines = [f"  {i.name:<8}{i.operands:<24}{i.meaning}" for i in self.instructions]
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
    architecture = CORES[image.core].architecture
    meaning, macs = _MEANING[architecture], _MACS[architecture]
    return tuple(
        Instruction(content, name, operands, meaning.get(name, ""), macs.get(name, 0))
        for content, name, operands in architecture.decode(image.read_code(address, size), address)
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
