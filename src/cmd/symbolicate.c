#include "cmd/symbolicate.h"

#include "cmd/commands.h"
#include "cmd/finished.h"
#include "cmd/progress.h"
#include "code/source.h"

static const struct vf_option options[] = {
    {"output", 'o', "FILE", "where to write: .vmfox of a recording, else .json.gz or .json"},
    {"sources", 0, "DIR", "embed the sources that the symbols name and that lie below DIR"},
    VF_DEBUG_OPTIONS,
    {"quiet", 'q', NULL, "print errors only, show no progress"},
    VF_OPTION_HELP,
    {0},
};

bool vf_source_folder_get(void *context, struct vf_str path, struct vf_str *text)
{
    struct vf_source_folder *sources = context;
    struct vf_bytes bytes;
    if (!sources->folder || !vf_source_read(path, sources->folder, &bytes))
        return false;
    VF_APPEND(&sources->members, bytes);
    *text = bytes.ptr ? vf_bytes_view(&bytes) : VF_STR("");
    return true;
}

static void release_sources(struct vf_source_folder *sources)
{
    for (size_t i = 0; i < sources->members.len; i++)
        vf_bytes_release(&sources->members.items[i]);
    free(sources->members.items);
}

/* ---- a finished file ------------------------------------------------------------------------- */

static bool write_finished(const struct vf_conversion *c, const struct vf_buf *text)
{
    struct vf_error error;
    struct vf_buf packed = {0};
    bool good = !c->format.gzip || vf_gzip(vf_buf_view(text), &packed, &error) == VF_OK;
    if (!good)
        vf_say_error(NULL, &error, 0);
    good = good && vf_output_write(c->out, vf_buf_view(c->format.gzip ? &packed : text));
    vf_buf_release(&packed);
    return good;
}

static int symbolicate_finished(struct vf_conversion *c, const struct vf_capture *capture,
                                struct vf_name_source *names, struct vf_source_folder *sources,
                                struct vf_symbolicated *told)
{
    struct vf_error error = {0};
    struct vf_finished_text text;
    struct vf_buf made = {0};
    struct vf_symbolicate_options how = {.symbolizer = {vf_name_source_find, names},
                                         .source = vf_source_folder_get,
                                         .source_context = sources};
    int code = vf_conversion_output(c, ".symbols.json.gz", false);
    if (code != VF_EXIT_OK)
        return code;
    code = VF_EXIT_INPUT;
    if (vf_finished_text_json(&text, capture, &error) == VF_FATAL ||
        vf_finished_symbolicate(&made, text.text, &how, told, &error) == VF_FATAL)
        vf_say_error(c->in, &error, 0);
    else if (write_finished(c, &made))
        code = VF_EXIT_OK;
    vf_buf_release(&made);
    vf_finished_text_release(&text);
    return code;
}

static int symbolicate_capture(struct vf_conversion *c, const struct vf_capture *capture,
                               struct vf_name_source *names, struct vf_source_folder *sources,
                               struct vf_symbolicated *told)
{
    int code = vf_conversion_output(c, ".symbols.vmfox", false);
    if (code == VF_EXIT_OK && !vf_symbolicate_capture(capture, names, sources, c->out, told))
        code = VF_EXIT_INPUT;
    return code;
}

/* ---- the command ----------------------------------------------------------------------------- */

static int symbolicate(struct vf_conversion *c, const struct vf_capture *capture,
                       struct vf_name_source *names, struct vf_source_folder *sources,
                       struct vf_symbolicated *told)
{
    switch (capture->kind) {
    case VF_CAPTURE_FINISHED_JSON:
    case VF_CAPTURE_FINISHED_JSLB:
        return symbolicate_finished(c, capture, names, sources, told);
    case VF_CAPTURE_VMFOX:
        return symbolicate_capture(c, capture, names, sources, told);
    case VF_CAPTURE_PROF:
    case VF_CAPTURE_CONVERTER_ZIP:
        vf_say("%s: does not say which builds of its libraries it is of, so that no symbols can be "
               "looked up for it",
               c->in);
        return VF_EXIT_INPUT;
    }
    return VF_EXIT_INPUT;
}

static void say_what(const struct vf_conversion *c, const struct vf_symbolicated *told)
{
    if (c->quiet)
        return;
    vf_say("%zu of %zu native functions got a name; %zu have none", told->named, told->functions,
           told->unnamed);
    if (told->sources)
        vf_say("%zu sources that they name are not in it (--sources DIR embeds those below DIR)",
               told->sources);
    if (strcmp(c->out, "-") != 0)
        vf_say("wrote %s; see it with: vmfox view %s", c->out, c->out);
}

static int run(const struct vf_args *args)
{
    struct vf_error error;
    struct vf_warnings warnings = {0};
    struct vf_conversion c;
    struct vf_capture capture = {0};
    struct vf_name_source names = {0};
    struct vf_source_folder sources = {.folder = vf_args_get(args, "sources")};
    struct vf_symbolicated told = {0};
    int code = vf_conversion_init(&c, args);
    if (code != VF_EXIT_OK)
        goto done;
    code = VF_EXIT_INPUT;
    vf_conversion_begin_work(&c);
    if (vf_capture_open(&capture, c.in, &warnings, &error) == VF_FATAL) {
        vf_say_error(c.in, &error, 0);
        goto done;
    }
    vf_name_source_init(&names, &capture, &c.debug.files, &warnings);
    names.ask_files = true;
    vf_capture_finish_checks(&capture, &warnings);
    code = symbolicate(&c, &capture, &names, &sources, &told);
    vf_work_end();
    if (!c.quiet)
        vf_say_warnings(c.in, &warnings);
    if (code == VF_EXIT_OK)
        say_what(&c, &told);
done:
    vf_name_source_release(&names);
    vf_capture_release(&capture);
    vf_conversion_release(&c);
    release_sources(&sources);
    return code;
}

const struct vf_command vf_cmd_symbolicate = {
    .name = "symbolicate",
    .operands = "FILE",
    .summary = "Names native functions of a recording made without debug info.",
    .about = "FILE is a .vmfox or a Firefox Profiler file (.json, .jslb, also gzipped).\n"
             "Names, lines and inlined functions are looked up in the libraries on this machine,\n"
             "in debug files and at debuginfod, where their build ids are the recorded ones.\n"
             "Without -o the result is FILE with its ending replaced by .symbols.vmfox or\n"
             ".symbols.json.gz.",
    .options = options,
    .run = run,
};
