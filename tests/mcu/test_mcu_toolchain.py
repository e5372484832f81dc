"""The C compiler for Cortex-M: where the bytes go, and what it says when it cannot build."""

from pathlib import Path

import pytest

from tinyml_helpers.mcu.target import toolchain
from tinyml_helpers.mcu.target.image import FLASH_BASE, RAM_BASE
from tinyml_helpers.mcu.target.toolchain import ToolchainError

EVERY_KIND = """
#include <stdint.h>
const int8_t weights[1000] = {1, 2, 3};
int32_t start[25] = {7};
int32_t sums[100];
volatile int32_t chosen;
int main(void) {
    for (int i = 0; i < 100; i++) sums[i] = start[i % 25] + weights[chosen];
    return 0;
}
"""


def test_bytes_go_where_c_says() -> None:
    image = toolchain.compile_c(EVERY_KIND)
    assert image.constant_bytes == 1000
    assert image.data_bytes == 25 * 4 + 4  # rounded up to 8
    assert image.zeroed_bytes == 100 * 4 + 8
    assert image.flash_bytes == image.code_bytes + 1000 + 104
    assert image.ram_bytes == 104 + 408
    assert image.symbols["weights"].address > FLASH_BASE
    assert image.symbols["sums"].address > RAM_BASE


def test_repr_is_a_table_of_those_bytes() -> None:
    image = toolchain.compile_c(EVERY_KIND, flash_bytes=32 * 1024, ram_bytes=2048)
    lines = repr(image).splitlines()
    assert lines[0] == "program for cortex-m4"
    assert "1,000 B   flash" in lines[2]
    assert "25.0% used, + stack" in lines[-1]


def test_flash_image_starts_with_the_stack_and_the_reset_address() -> None:
    image = toolchain.compile_c(EVERY_KIND)
    address, content = next(image.segments())
    assert address == FLASH_BASE
    assert int.from_bytes(content[:4], "little") == image.symbols["_stack_top"].address
    assert int.from_bytes(content[4:8], "little") == image.symbols["Reset_Handler"].address | 1


def test_variables_end_where_ram_ends_and_the_stack_has_the_rest() -> None:
    image = toolchain.compile_c(EVERY_KIND, ram_bytes=4096)
    assert image.symbols["_stack_bottom"].address == RAM_BASE
    assert image.symbols["_stack_top"].address == RAM_BASE + 4096 - image.ram_bytes


def test_several_files_and_a_header() -> None:
    image = toolchain.compile_c(
        {
            "net.h": "int twice(int);",
            "net.c": '#include "net.h"\nint twice(int x) { return 2 * x; }',
            "main.c": '#include "net.h"\nvolatile int y;\nint main(void) { y = twice(y); }',
        }
    )
    assert image.symbols["twice"].is_function
    assert image.function_at(image.symbols["main"].address + 2) == "main"
    assert image.function_at(0x1234) is None


def test_size_flag_makes_smaller_code() -> None:
    fast, small = (toolchain.compile_c(EVERY_KIND, optimize=flag) for flag in ("-O2", "-Os"))
    assert small.code_bytes < fast.code_bytes
    assert small.symbols["sums"].size_bytes == 400  # -Os keeps the symbol table


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("int main(void) {\n  return nothing;\n}", "main.c:2:10: error: use of undeclared"),
        ("int later(void); int main(void) { return later(); }", "undefined symbol: later"),
        ('#include "gone.h"', "'gone.h' file not found"),
    ],
)
def test_errors_are_the_compilers_own(source: str, message: str) -> None:
    with pytest.raises(ToolchainError, match=message) as caught:
        toolchain.compile_c(source)
    assert str(toolchain.cache_dir()) not in str(caught.value)


def test_program_too_large_for_flash() -> None:
    with pytest.raises(ToolchainError, match=r"will not fit in region 'FLASH'.*overflowed by"):
        toolchain.compile_c(EVERY_KIND, flash_bytes=1024)


def test_variables_too_large_for_ram_with_the_least_stack() -> None:
    fits = 512 + toolchain.LEAST_STACK_BYTES
    toolchain.compile_c(EVERY_KIND, ram_bytes=fits)
    with pytest.raises(ToolchainError, match=r"will not fit in region 'RAM'.*overflowed by"):
        toolchain.compile_c(EVERY_KIND, ram_bytes=fits - 8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"core": "Cortex-M55"}, "unknown core 'cortex-m55': choose one of cortex-m0plus"),
        ({"optimize": "-Ofast"}, "unknown flag '-Ofast': choose one of -O0"),
    ],
)
def test_unknown_words_name_the_choice(arguments: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        toolchain.compile_c("int main(void) {}", **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["../main.c", "/tmp/main.c", "main.txt", "-o.c "])
def test_source_names_stay_in_their_directory(name: str) -> None:
    with pytest.raises(ValueError, match="give a plain file name"):
        toolchain.compile_c({name: "int main(void) {}"})


@pytest.mark.parametrize("core", ["Cortex-M4F", "CORTEX-M4"])
def test_core_as_a_datasheet_spells_it(core: str) -> None:
    assert toolchain.compile_c("int main(void) {}", core).core == "cortex-m4"


def test_compiled_once_then_found(monkeypatch: pytest.MonkeyPatch) -> None:
    first = toolchain.compile_c(EVERY_KIND)

    def never(*_: object) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr(toolchain, "_zig", never)
    assert toolchain.compile_c(EVERY_KIND).elf == first.elf
    with pytest.raises(AssertionError, match="compiled again"):
        toolchain.compile_c(EVERY_KIND + "/* changed */")


def test_nothing_is_left_behind_when_it_fails() -> None:
    before = set(toolchain.cache_dir().iterdir())
    with pytest.raises(ToolchainError):
        toolchain.compile_c("int main(void) { return gone; }")
    assert set(toolchain.cache_dir().iterdir()) <= before | {toolchain.cache_dir() / "zig"}


def test_cache_moves_with_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYML_CACHE", str(tmp_path / "cache"))
    assert toolchain.cache_dir() == tmp_path / "cache" / "mcu"
    assert toolchain.cache_dir().is_dir()


def test_cache_that_cannot_be_written_names_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("TINYML_CACHE", str(tmp_path / "file"))
    with pytest.raises(ToolchainError, match="set TINYML_CACHE to a directory"):
        toolchain.cache_dir()
