/* Texts that are not terminated, as messages have them. */
#include "vmw_state.h"

struct hvs_text vmw_text(const char *terminated)
{
    struct hvs_text text = {terminated, 0};

    while (terminated[text.bytes])
        text.bytes++;
    return text;
}

bool vmw_text_begins(struct hvs_text text, const char *terminated)
{
    struct hvs_text begin = vmw_text(terminated);

    return text.bytes >= begin.bytes && memcmp(text.text, begin.text, begin.bytes) == 0;
}

bool vmw_text_is(struct hvs_text text, const char *terminated)
{
    return vmw_text_begins(text, terminated) && text.bytes == vmw_text(terminated).bytes;
}

struct hvs_text vmw_text_word(struct hvs_text *text)
{
    struct hvs_text word = {text->text, 0};
    uint32_t step;

    while (word.bytes < text->bytes && text->text[word.bytes] != ' ')
        word.bytes++;
    step = word.bytes < text->bytes ? word.bytes + 1 : word.bytes;
    text->text += step;
    text->bytes -= step;
    return word;
}

struct hvs_text vmw_text_trim(struct hvs_text text, char byte)
{
    while (text.bytes > 0 && text.text[text.bytes - 1] == byte)
        text.bytes--;
    return text;
}
