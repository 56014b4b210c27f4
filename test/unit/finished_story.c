#include "finished_story.h"

#define META(version)                                                                              \
    "{\"meta\":{\"preprocessedProfileVersion\":" version ",\"extra\":[{\"label\":\"Native code\"," \
    "\"entries\":[{\"label\":\"Functions without a symbol\",\"format\":\"string\","                \
    "\"value\":\"2\"}]}]},\"libs\":[{\"name\":\"libx.so\",\"path\":\"/lib/libx.so\","              \
    "\"debugName\":\"libx.so\",\"breakpadId\":\"AB0\",\"codeId\":\"ab\"},{\"name\":\"Python\","    \
    "\"path\":\"Python\",\"debugName\":\"Python\",\"breakpadId\":\"\",\"codeId\":null}],"
#define STRINGS                                                                                    \
    "\"stringArray\":[\"main\",\"libx.so+0x100\",\"libx.so+0x200\",\"named\\u0041\","              \
    "\"libx.so\",\"/a.py\",\"Python\",\"gone\"]"
#define SOURCES                                                                                    \
    "\"sources\":{\"length\":1,\"id\":[null],\"filename\":[5],\"startLine\":[1],"                  \
    "\"startColumn\":[1],\"sourceMapURL\":[null],\"content\":[\"pass\\n\"]}"
#define NATIVES                                                                                    \
    "\"nativeSymbols\":{\"length\":3,\"libIndex\":[0,0,0],\"address\":[256,512,768],"              \
    "\"name\":[1,2,3],\"functionSize\":[64,null,16]}"
#define FUNCS                                                                                      \
    "\"funcTable\":{\"length\":5,\"name\":[0,1,2,3,7],\"isJS\":[true,false,false,false,false],"    \
    "\"relevantForJS\":[false,false,false,false,false],\"resource\":[1,0,0,0,0],"                  \
    "\"source\":[0,null,null,null,null],\"lineNumber\":[1,null,null,7,null],"                      \
    "\"columnNumber\":[null,null,null,null,null]}"
#define THREADS                                                                                    \
    "\"threads\":[{\"name\":\"a\",\"samples\":{\"length\":7,\"stack\":[2,3,4,null,1,2,0],"         \
    "\"timeDeltas\":[1,1.5,1,1,1,1,1]},\"nativeAllocations\":{\"length\":1,\"stack\":[3],"         \
    "\"weight\":[8]},\"markers\":{\"length\":2,\"data\":[{\"type\":\"x\",\"cause\":"               \
    "{\"time\":1,\"stack\":4}},null]}}]}\n"

/*  row     frame                   below
 *  0       main                    -
 *  1       0x100 (the function)    0
 *  2       0x200 (the handler)     1
 *  3       0x104 (an instruction)  0
 *  4       0x302 (named)           3  */
const char finished_story[] = META(
    "69") "\"shared\":{" STRINGS "," SOURCES "," NATIVES "," FUNCS
          ",\"resourceTable\":{\"length\":2,\"lib\":[0,1],\"name\":[4,6],\"host\":[null,null],"
          "\"type\":[1,1]},\"frameTable\":{\"length\":5,\"address\":[1,256,260,512,770],"
          "\"inlineDepth\":[0,0,0,0,0],\"category\":[1,3,2,3,3],\"subcategory\":[0,0,0,0,0],"
          "\"func\":[0,1,1,2,3],\"nativeSymbol\":[null,0,0,1,2],\"line\":[null,null,null,null,8],"
          "\"column\":[null,null,null,null,null],\"new\":[\"a\",\"b\",{\"c\":[1,2]},\"d\",\"e\"]},"
          "\"stackTable\":{\"length\":5,\"frame\":[0,1,3,2,4],\"prefixOffset\":[0,1,1,3,1]}}"
          "," THREADS;

/* Row 4 is a frame inlined into the instruction of row 3, as somebody else knew it. */
const char finished_story_70[] =
    META("70") "\"shared\":{" STRINGS "," SOURCES "," NATIVES "," FUNCS
               ",\"resourceTable\":{\"length\":2,\"name\":[4,6],\"host\":[null,null],"
               "\"type\":[1,1]},\"frameTable\":{\"length\":5,\"address\":[1,256,260,512,260],"
               "\"lib\":[1,0,0,0,0],\"inlineDepth\":[0,0,0,0,1],\"category\":[1,3,2,3,3],"
               "\"subcategory\":[0,0,0,0,0],\"func\":[0,1,1,2,4],\"nativeSymbol\":[null,0,0,1,0],"
               "\"line\":[null,null,null,null,null]},"
               "\"stackTable\":{\"length\":5,\"frame\":[0,1,3,2,4],\"prefixOffset\":[0,1,1,3,1]}}"
               "," THREADS;

bool finished_story_find(void *context, const struct vf_native_place *place,
                         struct vf_symbolized *out)
{
    (void)context;
    *out = (struct vf_symbolized){.count = 1};
    if (!vf_str_eq(place->build_id, VF_STR("ab")) ||
        !vf_str_eq(place->path, VF_STR("/lib/libx.so")))
        return false;
    struct vf_symbolized_frame *frame = out->frames;
    if (place->address >= 0x100 && place->address < 0x140) {
        out->start = 0x100;
        out->size = 0x40;
        frame[0] = (struct vf_symbolized_frame){VF_STR("outer"), VF_STR("outer_raw"),
                                                VF_STR("/x.c"), 10, 0};
        if (place->is_instruction) {
            out->count = 2;
            frame[0].line = 12;
            frame[1] = (struct vf_symbolized_frame){VF_STR("inner"), VF_STR("inner"),
                                                    VF_STR("/x.h"), 3, 4};
        }
    } else if (place->address >= 0x200 && place->address < 0x220) {
        out->start = 0x200;
        out->is_sampler = true;
        frame[0].name = frame[0].raw = VF_STR("sigprof_handler");
    } else if (place->address >= 0x300 && place->address < 0x310) {
        out->start = 0x300;
        out->size = 16;
        frame[0].name = frame[0].raw = VF_STR("other");
    } else {
        out->count = 0;
    }
    return out->count > 0;
}

static bool find_source(void *context, struct vf_str path, struct vf_str *text)
{
    (void)context;
    *text = VF_STR("int x;\n");
    return vf_str_eq(path, VF_STR("/x.c"));
}

struct vf_symbolicate_options finished_story_options(void)
{
    return (struct vf_symbolicate_options){.symbolizer = {finished_story_find, NULL},
                                           .source = find_source};
}
