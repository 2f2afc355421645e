/* SPDX-License-Identifier: MIT */
/*
 * Every VMCS field stands in the group whose width and type its encoding tells.
 * Spec: SDM "Encoding of VMCS Component" (the table of widths and types).
 */
#include "tests/unit/test.h"
#include "vmx/vmcs_fields.h"
#include <string.h>

struct field {
    const char *name;
    uint32_t encoding;
};
#define F(name, encoding) {#name, encoding},

struct group {
    const char *name;
    uint64_t width, type;
    const struct field *fields;
    size_t count;
};
#define FIELDS_OF(list)                                                                            \
    (const struct field[]){list(F)}, sizeof((struct field[]){list(F)}) / sizeof(struct field)
#define GROUP(list, width, type)                                                                   \
    {                                                                                              \
#list, width, type, FIELDS_OF(list)                                                        \
    }

TEST(groups_match_their_encodings)
{
    const struct group groups[] = {
        GROUP(VMCS_CONTROL_16, VMCS_WIDTH_16, VMCS_TYPE_CONTROL),
        GROUP(VMCS_GUEST_16, VMCS_WIDTH_16, VMCS_TYPE_GUEST),
        GROUP(VMCS_HOST_16, VMCS_WIDTH_16, VMCS_TYPE_HOST),
        GROUP(VMCS_CONTROL_64, VMCS_WIDTH_64, VMCS_TYPE_CONTROL),
        GROUP(VMCS_EXIT_INFO_64, VMCS_WIDTH_64, VMCS_TYPE_EXIT_INFO),
        GROUP(VMCS_GUEST_64, VMCS_WIDTH_64, VMCS_TYPE_GUEST),
        GROUP(VMCS_HOST_64, VMCS_WIDTH_64, VMCS_TYPE_HOST),
        GROUP(VMCS_CONTROL_32, VMCS_WIDTH_32, VMCS_TYPE_CONTROL),
        GROUP(VMCS_EXIT_INFO_32, VMCS_WIDTH_32, VMCS_TYPE_EXIT_INFO),
        GROUP(VMCS_GUEST_32, VMCS_WIDTH_32, VMCS_TYPE_GUEST),
        GROUP(VMCS_HOST_32, VMCS_WIDTH_32, VMCS_TYPE_HOST),
        GROUP(VMCS_CONTROL_NATURAL, VMCS_WIDTH_NATURAL, VMCS_TYPE_CONTROL),
        GROUP(VMCS_EXIT_INFO_NATURAL, VMCS_WIDTH_NATURAL, VMCS_TYPE_EXIT_INFO),
        GROUP(VMCS_GUEST_NATURAL, VMCS_WIDTH_NATURAL, VMCS_TYPE_GUEST),
        GROUP(VMCS_HOST_NATURAL, VMCS_WIDTH_NATURAL, VMCS_TYPE_HOST),
    };
    for (const struct group *g = groups; g < groups + ARRAY_COUNT(groups); g++)
        for (const struct field *f = g->fields; f < g->fields + g->count; f++) {
            if (FIELD_GET(VMCS_FIELD_WIDTH, f->encoding) != g->width ||
                FIELD_GET(VMCS_FIELD_TYPE, f->encoding) != g->type)
                fail_msg("%s = 0x%x is not of %s", f->name, f->encoding, g->name);
        }
}

static const struct field all[] = {VMCS_FIELDS(F)};

TEST(encodings_are_unique_and_whole)
{
    for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
        uint64_t known = VMCS_FIELD_WIDTH | VMCS_FIELD_TYPE | VMCS_FIELD_INDEX;
        if (all[i].encoding & ~known)
            fail_msg("%s = 0x%x has a reserved bit, or is the high half", all[i].name,
                     all[i].encoding);
        for (size_t k = 0; k < i; k++)
            if (all[i].encoding == all[k].encoding)
                fail_msg("%s and %s are both 0x%x", all[i].name, all[k].name, all[i].encoding);
    }
}

TEST(segments_are_a_stride_of_two)
{
    assert_int_equal(VMCS_SELECTOR(SEG_TR), GUEST_TR_SELECTOR);
    assert_int_equal(VMCS_LIMIT(SEG_GS), GUEST_GS_LIMIT);
    assert_int_equal(VMCS_ACCESS_RIGHTS(SEG_LDTR), GUEST_LDTR_ACCESS_RIGHTS);
    assert_int_equal(VMCS_BASE(SEG_CS), GUEST_CS_BASE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_match_their_encodings),
        cmocka_unit_test(encodings_are_unique_and_whole),
        cmocka_unit_test(segments_are_a_stride_of_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
