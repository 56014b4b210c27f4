# A thin front for Meson and the scripts.
PREFIX ?= /usr/local
BUILD = build

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	meson setup $(BUILD) --buildtype=release

install: all
	meson configure $(BUILD) -Dprefix=$(abspath $(PREFIX))
	DESTDIR=$(DESTDIR) meson install -C $(BUILD)

demo:
	scripts/demo

check:
	scripts/check

format:
	scripts/format

clean:
	rm -rf $(BUILD)

bench:
	scripts/bench

.PHONY: all bench install demo check format clean
