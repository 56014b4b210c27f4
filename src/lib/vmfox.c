#include "vmfox/vmfox.h"

#include "base/sink.h"
#include "capture/capture.h"
#include "output/firefox.h"
#include "output/format.h"
#include "profile/build.h"

#include <stdio.h>

const char *vmfox_version(void)
{
    return VF_VERSION;
}

static enum vf_status write_profile(const struct vf_profile *profile, const char *out,
                                    struct vf_format format, struct vf_error *error)
{
    struct vf_sink *sink = vf_sink_open(out, format.gzip, error);
    if (!sink)
        return VF_FATAL;
    struct vf_buf buf = vf_sink_buf(sink);
    if (vf_firefox_write(&buf, profile, format.slabs ? VF_FIREFOX_SLABS : 0, error) != VF_FATAL)
        return vf_sink_close(sink, &buf, NULL, error);
    vf_sink_abandon(sink, &buf);
    return VF_FATAL;
}

static enum vf_status convert(const char *in, const char *out, struct vf_format format,
                              struct vf_warnings *warnings, struct vf_error *error)
{
    struct vf_capture capture;
    struct vf_profile profile = {0};
    enum vf_status status = vf_capture_open(&capture, in, warnings, error);
    if (status != VF_FATAL && capture.kind >= VF_CAPTURE_FINISHED_JSON)
        status = vf_fail(error, "is a Firefox Profiler file already");
    if (status != VF_FATAL)
        status = vf_profile_build(&profile, &capture, NULL, warnings, error);
    vf_capture_finish_checks(&capture, warnings);
    if (status != VF_FATAL)
        status = write_profile(&profile, out, format, error);
    vf_profile_release(&profile);
    vf_capture_release(&capture);
    return status;
}

enum vmfox_status vmfox_convert(const char *in, const char *out, char *message, size_t message_size)
{
    struct vf_warnings warnings = {0};
    struct vf_error error = {0};
    char line[600] = "";
    struct vf_format format;
    enum vf_status status;
    if (vf_format_find(vf_str_from(out), &format))
        status = convert(in, out, format, &warnings, &error);
    else
        status = vf_fail(&error, "%s: the name must end in " VF_FORMAT_ENDINGS, out);
    if (status == VF_FATAL)
        vf_error_line(&error, line, sizeof line);
    else if (warnings.count)
        vf_error_line(&warnings.items[0], line, sizeof line);
    if (message && message_size)
        snprintf(message, message_size, "%s", line);
    if (status == VF_FATAL)
        return VMFOX_FAILED;
    return warnings.count ? VMFOX_PARTIAL : VMFOX_OK;
}
