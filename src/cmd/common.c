#include "cmd/common.h"

#include "base/sink.h"
#include "cmd/jit_code.h"
#include "cmd/progress.h"
#include "cmd/recover.h"
#include "code/source.h"
#include "output/firefox.h"
#include "profile/build.h"
#include "profile/thin.h"

#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

/* Past stderr: where libraries may end the process, that is closed to them (record/apart.c). */
void vf_say(const char *format, ...)
{
    char *text;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    vf_line_hide();
    dprintf(STDERR_FILENO, "vmfox: %s\n", length < 0 ? format : text);
    vf_line_show();
    if (length >= 0)
        free(text);
}

int vf_say_error(const char *name, const struct vf_error *error, int code)
{
    char line[600];
    vf_error_line(error, line, sizeof line);
    if (name)
        vf_say("%s: %s", name, line);
    else
        vf_say("%s", line);
    return code;
}

void vf_say_warnings(const char *name, const struct vf_warnings *warnings)
{
    size_t kept = warnings->count < VF_WARNINGS_KEPT ? warnings->count : VF_WARNINGS_KEPT;
    for (size_t i = 0; i < kept; i++) {
        char line[600];
        vf_error_line(&warnings->items[i], line, sizeof line);
        if (name)
            vf_say("warning: %s: %s", name, line);
        else
            vf_say("warning: %s", line);
    }
    if (warnings->count > kept)
        vf_say("warning: and %zu more", warnings->count - kept);
}

void vf_say_wrote(const char *name, size_t bytes)
{
    if (bytes < 1000000)
        vf_say("wrote %s (%.1f kB)", name, (double)bytes / 1e3);
    else
        vf_say("wrote %s (%.1f MB)", name, (double)bytes / 1e6);
}

/* ---- input ------------------------------------------------------------------------------------
 */

static void read_sources(struct vf_input *input, const char *folder)
{
    struct vf_funcs *funcs = &input->profile.funcs;
    for (size_t i = 0; i < funcs->sources.len; i++) {
        struct vf_bytes bytes;
        struct vf_source *source = &funcs->sources.items[i];
        struct vf_str path = vf_strings_get(&input->profile.strings, source->path);
        if (source->text.ptr || !vf_source_read(path, folder, &bytes))
            continue;
        VF_APPEND(&input->capture.members, bytes);
        source->text = bytes.ptr ? vf_bytes_view(&bytes) : VF_STR("");
    }
}

/* Seconds of a run, as milliseconds; 0 without the option. */
static bool get_seconds(const struct vf_args *args, const char *name, double *ms)
{
    const char *text = vf_args_get(args, name);
    int64_t ns = 0;
    if (text && !vf_str_to_ns(vf_str_from(text), &ns)) {
        vf_say("--%s takes seconds, 12 or 12.5, not %s", name, text);
        return false;
    }
    *ms = (double)ns / 1e6;
    return true;
}

static bool get_count(const struct vf_args *args, const char *name, const char *what,
                      uint64_t *count)
{
    const char *text = vf_args_get(args, name);
    if (!text || (vf_str_to_u64(vf_str_from(text), 10, count) && *count))
        return true;
    vf_say("--%s takes %s, not %s", name, what, text);
    return false;
}

static bool get_window(struct vf_window *window, const struct vf_args *args)
{
    if (!get_seconds(args, "from", &window->from_ms) || !get_seconds(args, "to", &window->to_ms) ||
        !get_count(args, "pid", "the number of a process", &window->pid))
        return false;
    if (vf_args_get(args, "to") && window->to_ms <= window->from_ms) {
        vf_say("--to must be later than %s", vf_args_get(args, "from") ? "--from" : "0");
        return false;
    }
    window->threads = vf_str_from(vf_args_get(args, "thread"));
    if (!vf_args_get(args, "thread") || window->threads.len)
        return true;
    vf_say("--thread takes names or ids of threads, with commas between, not nothing");
    return false;
}

bool vf_input_build_options(struct vf_input_options *options, const struct vf_args *args)
{
    options->no_phases = vf_args_has(args, "no-phases");
    options->no_traces = vf_args_has(args, "no-traces");
    options->no_graphs = vf_args_has(args, "no-graphs");
    options->sources_apart =
        vf_args_knows(args, "no-embed-sources") && vf_args_has(args, "no-embed-sources");
    options->quiet = vf_args_has(args, "quiet");
    if (vf_args_knows(args, "max-samples") &&
        !get_count(args, "max-samples", "a number of samples", &options->max_samples))
        return false;
    return get_window(&options->window, args);
}

bool vf_input_options(struct vf_input_options *options, const struct vf_args *args,
                      const struct vf_debug *debug)
{
    *options = (struct vf_input_options){
        .jitlog = vf_args_get(args, "jitlog"),
        .pypylog = vf_args_get(args, "pypylog"),
        .sources = vf_args_get(args, "sources"),
        .debug = &debug->files,
    };
    return vf_input_build_options(options, args);
}

static bool add_companions(struct vf_input *input, const struct vf_input_options *options,
                           struct vf_warnings *warnings)
{
    struct vf_error error;
    if (vf_capture_add_companions(&input->capture, options->jitlog, NULL, warnings, &error) ==
        VF_FATAL) {
        vf_say_error(options->jitlog, &error, 0);
        return false;
    }
    if (vf_capture_add_companions(&input->capture, NULL, options->pypylog, warnings, &error) ==
        VF_FATAL) {
        vf_say_error(options->pypylog, &error, 0);
        return false;
    }
    return true;
}

/* Measured with Chromium: 10 million samples are loaded in 3 s and take 3 GB once all views have
 * been looked at; with 30 million the page ends at the first search. */
enum { SAMPLES_ADVISED = 10000000 };

static void advise(const struct vf_profile *profile, struct vf_warnings *warnings)
{
    uint64_t count = vf_count_samples(profile);
    if (count > SAMPLES_ADVISED)
        vf_warn(warnings,
                "%llu samples are more than a page can hold well; --max-samples %d leaves the "
                "totals as they are, --from and --to show a part",
                (unsigned long long)count, SAMPLES_ADVISED / 2);
}

bool vf_input_open(struct vf_input *input, const char *path, const char *name,
                   const struct vf_input_options *options)
{
    struct vf_error error;
    struct vf_warnings warnings = {0};
    struct vf_build_options build = {.no_phases = options->no_phases,
                                     .no_traces = options->no_traces,
                                     .window = options->window,
                                     .max_samples = options->max_samples};
    static const struct vf_debug_files no_files;
    struct vf_symbolizer symbolizer = {vf_name_source_find, &input->names};
    bool failed;
    *input = (struct vf_input){.sources_apart = options->sources_apart};
    char *recovered =
        vf_recover_for_reading(path, options->debug, options->quiet, &input->remains, &failed);
    if (failed)
        return false;
    enum vf_status opened =
        vf_capture_open(&input->capture, recovered ? recovered : path, &warnings, &error);
    if (recovered) {
        unlink(recovered); /* it is mapped */
        vf_new_file_watch(NULL);
    }
    free(recovered);
    if (opened == VF_FATAL) {
        vf_say_error(name, &error, 0);
        return false;
    }
    if (input->capture.kind == VF_CAPTURE_FINISHED_JSON ||
        input->capture.kind == VF_CAPTURE_FINISHED_JSLB) {
        if (options->debug)
            input->names.files.debug = *options->debug;
        return true;
    }
    if (!add_companions(input, options, &warnings))
        return false;
    vf_name_source_init(&input->names, &input->capture, options->debug ? options->debug : &no_files,
                        &warnings);
    build.symbolizer = &symbolizer;
    if (vf_profile_build(&input->profile, &input->capture, &build, &warnings, &error) == VF_FATAL) {
        /* Of all that was to be warned of only damage can be why. */
        struct vf_warnings damage = {0};
        vf_capture_finish_checks(&input->capture, &damage);
        vf_say_warnings(name, &damage);
        vf_say_error(name, &error, 0);
        return false;
    }
    input->has_profile = true;
    advise(&input->profile, &warnings);
    vf_capture_finish_checks(&input->capture, &warnings);
    vf_bytecode_parse(&input->bytecode, input->capture.bytecode);
    if (options->no_graphs)
        vf_jit_leave_graphs(input);
    else
        vf_jit_add_graphs(input, &warnings);
    if (options->sources)
        read_sources(input, options->sources);
    if (!options->quiet)
        vf_say_warnings(name, &warnings);
    return true;
}

void vf_input_release(struct vf_input *input)
{
    vf_profile_release(&input->profile);
    vf_name_source_release(&input->names);
    vf_bytecode_release(&input->bytecode);
    vf_capture_release(&input->capture);
    if (input->remains)
        vf_remains_close(input->remains);
    free(input->remains);
    input->remains = NULL;
}

/* ---- output -----------------------------------------------------------------------------------
 */

static bool write_profile(const struct vf_input *input, struct vf_format format, struct vf_buf *buf)
{
    struct vf_error error;
    unsigned flags = (input->sources_apart ? VF_FIREFOX_NO_SOURCES : 0u) |
                     (format.slabs ? VF_FIREFOX_SLABS : 0u);
    if (vf_firefox_write(buf, &input->profile, flags, &error) != VF_FATAL)
        return true;
    vf_say_error(NULL, &error, 0);
    vf_say("write it as .json.gz, or fewer samples with --max-samples, --from and --to");
    return false;
}

bool vf_input_write(const struct vf_input *input, struct vf_format format, const char *out,
                    uint64_t *bytes)
{
    struct vf_error error;
    const char *name = strcmp(out, "-") == 0 ? "standard output" : out;
    struct vf_sink *sink = vf_sink_open(out, format.gzip, &error);
    if (!sink) {
        vf_say_error(name, &error, 0);
        return false;
    }
    struct vf_buf buf = vf_sink_buf(sink);
    if (!write_profile(input, format, &buf)) {
        vf_sink_abandon(sink, &buf);
        return false;
    }
    bool good = vf_sink_close(sink, &buf, bytes, &error) == VF_OK;
    if (!good)
        vf_say_error(name, &error, 0);
    return good;
}

bool vf_input_write_memory(const struct vf_input *input, struct vf_format format,
                           struct vf_buf *out)
{
    struct vf_error error;
    struct vf_sink *sink = vf_sink_open_memory(format.gzip);
    struct vf_buf buf = vf_sink_buf(sink);
    bool good = write_profile(input, format, &buf);
    if (vf_sink_close_memory(sink, &buf, out, &error) == VF_OK)
        return good;
    vf_say_error(NULL, &error, 0);
    return false;
}

bool vf_output_write(const char *out, struct vf_str bytes)
{
    struct vf_error error;
    bool to_stdout = strcmp(out, "-") == 0;
    enum vf_status status =
        to_stdout ? vf_write_fd(STDOUT_FILENO, bytes, &error) : vf_write_file(out, bytes, &error);
    if (status == VF_FATAL)
        vf_say_error(to_stdout ? "standard output" : out, &error, 0);
    return status != VF_FATAL;
}

static bool is_input(const char *in, const char *out)
{
    struct stat x, y;
    if (stat(in, &x) != 0 || stat(out, &y) != 0 || x.st_dev != y.st_dev || x.st_ino != y.st_ino)
        return false;
    vf_say("%s: is the input; name another file with -o", out);
    return true;
}

/* `path` without its ending (".prof", ".vmfox", ".prof.gz" ...) and with `ending` behind it. */
static char *replace_ending(const char *path, const char *ending)
{
    struct vf_str stem = vf_str_from(path);
    size_t base_len = vf_str_basename(stem).len;
    if (vf_str_ends(stem, VF_STR(".gz")) && base_len > 3) {
        stem.len -= 3;
        base_len -= 3;
    }
    for (size_t i = 1; i < base_len; i++)
        if (stem.ptr[stem.len - i] == '.') {
            stem.len -= i;
            break;
        }
    size_t size = stem.len + strlen(ending) + 1;
    char *made = vf_alloc(size, 1);
    snprintf(made, size, "%.*s%s", VF_STR_ARG(stem), ending);
    return made;
}

bool vf_format_of(const char *path, struct vf_format *format)
{
    if (vf_format_find(vf_str_from(path), format))
        return true;
    vf_say("%s: the name must end in " VF_FORMAT_ENDINGS, path);
    return false;
}

int vf_conversion_init(struct vf_conversion *c, const struct vf_args *args)
{
    const char *command = args->command->name;
    *c = (struct vf_conversion){.out = vf_args_get(args, "output"),
                                .quiet = vf_args_has(args, "quiet")};
    if (args->operand_count == 1) {
        c->in = args->operands[0];
        return vf_debug_init(&c->debug, args) ? VF_EXIT_OK : VF_EXIT_USAGE;
    }
    if (args->operand_count)
        vf_say("%s takes one file", command);
    else
        vf_say("name a file to %s", command);
    return VF_EXIT_USAGE;
}

static bool find_format(struct vf_conversion *c, bool any)
{
    if (strcmp(c->out, "-") == 0)
        return true;
    if (any)
        return vf_format_of(c->out, &c->format);
    if (vf_format_find(vf_str_from(c->out), &c->format) && !c->format.slabs)
        return true;
    vf_say("%s: the name must end in .json or .json.gz, as JSON is what is written", c->out);
    return false;
}

int vf_conversion_output(struct vf_conversion *c, const char *ending, bool any)
{
    if (!c->out)
        c->out = c->made = replace_ending(c->in, ending);
    if (vf_str_ends(vf_str_from(ending), VF_STR(".vmfox"))) {
        if (!vf_str_ends(vf_str_from(c->out), VF_STR(".vmfox"))) {
            vf_say("%s: the name must end in .vmfox, as a recording is what is written", c->out);
            return VF_EXIT_USAGE;
        }
    } else if (!find_format(c, any)) {
        return VF_EXIT_USAGE;
    }
    return is_input(c->in, c->out) ? VF_EXIT_INPUT : VF_EXIT_OK;
}

void vf_conversion_begin_work(const struct vf_conversion *c)
{
    bool mixed = c->out && strcmp(c->out, "-") == 0 && isatty(STDOUT_FILENO);
    vf_work_begin(c->in, c->quiet || mixed);
}

void vf_conversion_release(struct vf_conversion *c)
{
    vf_work_end();
    vf_debug_release(&c->debug);
    free(c->made);
}
