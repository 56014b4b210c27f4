#include "vmfox/vmfox.h"

#include "capture/capture.h"
#include "output/firefox.h"
#include "profile/build.h"

#include <stdio.h>

const char *vmfox_version(void)
{
    return VF_VERSION;
}

static enum vf_status convert(const char *in, const char *out, bool gzip,
                              struct vf_warnings *warnings, struct vf_error *error)
{
    struct vf_capture capture;
    struct vf_profile profile = {0};
    struct vf_buf text = {0}, packed = {0};
    enum vf_status status = vf_capture_open(&capture, in, warnings, error);
    if (status != VF_FATAL && capture.kind >= VF_CAPTURE_FINISHED_JSON)
        status = vf_fail(error, "is a Firefox Profiler file already");
    if (status != VF_FATAL)
        status = vf_profile_build(&profile, &capture, NULL, warnings, error);
    if (status != VF_FATAL) {
        vf_firefox_write(&text, &profile, 0);
        status = gzip ? vf_gzip(vf_buf_view(&text), &packed, error) : VF_OK;
    }
    if (status != VF_FATAL)
        status = vf_write_file(out, vf_buf_view(gzip ? &packed : &text), error);
    vf_buf_release(&packed);
    vf_buf_release(&text);
    vf_profile_release(&profile);
    vf_capture_release(&capture);
    return status;
}

enum vmfox_status vmfox_convert(const char *in, const char *out, char *message, size_t message_size)
{
    struct vf_warnings warnings = {0};
    struct vf_error error = {0};
    char line[600] = "";
    struct vf_str name = vf_str_from(out);
    bool gzip = vf_str_ends(name, VF_STR(".json.gz"));
    enum vf_status status;
    if (gzip || vf_str_ends(name, VF_STR(".json")))
        status = convert(in, out, gzip, &warnings, &error);
    else
        status = vf_fail(&error, "%s: the name must end in .json or .json.gz", out);
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
