/*
 * Macros for cppcheck: one of the compiler's command line, and simple ones for
 * libcrypto's ASN.1 templates, since cppcheck fails on the real ones.
 */

#define HT_SYSCONFDIR "/etc/htsign"
#define DECLARE_ASN1_FUNCTIONS(type)
#define IMPLEMENT_ASN1_FUNCTIONS(type)
#define DEFINE_STACK_OF(type)
#define ASN1_SEQUENCE(type) static const int type##_template[]
#define ASN1_SEQUENCE_END(type) ;
#define ASN1_CHOICE(type) static const int type##_template[]
#define ASN1_CHOICE_END(type) ;
#define ASN1_ITEM_TEMPLATE(type) static const int type##_template
#define static_ASN1_ITEM_TEMPLATE_END(type) ;
#define ASN1_EX_TEMPLATE_TYPE(flags, tag, name, type) 0
#define ASN1_SIMPLE(type, field, of) 0
#define ASN1_OPT(type, field, of) 0
#define ASN1_IMP(type, field, of, tag) 0
#define ASN1_EXP(type, field, of, tag) 0
#define ASN1_EXP_OPT(type, field, of, tag) 0
#define ASN1_SET_OF(type, field, of) 0
#define ASN1_IMP_SET_OF_OPT(type, field, of, tag) 0
#define ASN1_ITEM_rptr(type) 0
#define STACK_OF(type) struct stack_of_##type
