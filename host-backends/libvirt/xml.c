#include "xml.h"

#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define X(text) ((const xmlChar *)(text))

static void *need(void *memory)
{
    if (memory)
        return memory;
    fputs("hvshim virt: no memory\n", stderr);
    exit(EXIT_FAILURE);
}

xmlDoc *xml_parse(const char *text)
{
    xmlDoc *doc = xmlReadMemory(text, (int)strlen(text), "domain.xml", NULL,
                                XML_PARSE_NOBLANKS | XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);

    if (doc && xmlDocGetRootElement(doc) && xmlStrEqual(xmlDocGetRootElement(doc)->name, X("domain")))
        return doc;
    xmlFreeDoc(doc);
    return NULL;
}

char *xml_text(xmlDoc *doc)
{
    xmlBuffer *buffer = need(xmlBufferCreate());
    char *text;

    xmlNodeDump(buffer, doc, xml_domain(doc), 0, 1);
    xmlBufferAdd(buffer, X("\n"), 1);
    text = need(xmlBufferDetach(buffer));
    xmlBufferFree(buffer);
    return text;
}

xmlDoc *xml_copy(xmlDoc *doc)
{
    return need(xmlCopyDoc(doc, 1));
}

xmlNode *xml_domain(xmlDoc *doc)
{
    return xmlDocGetRootElement(doc);
}

/* --- finding ---------------------------------------------------------------------------------------------------- */

static xmlXPathObject *look_up(xmlDoc *doc, const char *path, xmlXPathContext **context)
{
    *context = need(xmlXPathNewContext(doc));
    (*context)->node = xml_domain(doc);
    xmlXPathRegisterNs(*context, X("qemu"), X(XML_QEMU_URI));
    xmlXPathRegisterNs(*context, X("hvshim"), X(XML_HVSHIM_URI));
    return xmlXPathEvalExpression(X(path), *context);
}

void xml_each(xmlDoc *doc, const char *path, void (*each)(void *ctx, xmlNode *node), void *ctx)
{
    xmlXPathContext *context;
    xmlXPathObject *found = look_up(doc, path, &context);

    for (int i = 0; found && found->nodesetval && i < found->nodesetval->nodeNr; i++)
        each(ctx, found->nodesetval->nodeTab[i]);
    xmlXPathFreeObject(found);
    xmlXPathFreeContext(context);
}

static void take_first(void *ctx, xmlNode *node)
{
    xmlNode **first = ctx;

    *first = *first ? *first : node;
}

xmlNode *xml_find(xmlDoc *doc, const char *path)
{
    xmlNode *first = NULL;

    xml_each(doc, path, take_first, &first);
    return first;
}

static void count_one(void *ctx, xmlNode *node)
{
    (void)node;
    ++*(size_t *)ctx;
}

size_t xml_count(xmlDoc *doc, const char *path)
{
    size_t nr = 0;

    xml_each(doc, path, count_one, &nr);
    return nr;
}

/* One by one: a node that was freed is in no list then. */
void xml_remove(xmlDoc *doc, const char *path)
{
    xmlNode *node;

    while ((node = xml_find(doc, path))) {
        xmlUnlinkNode(node);
        xmlFreeNode(node);
    }
}

const char *xml_value(xmlDoc *doc, const char *path, char *buffer, size_t bytes)
{
    xmlNode *node = xml_find(doc, path);
    xmlChar *value = node ? xmlNodeGetContent(node) : NULL;

    snprintf(buffer, bytes, "%s", value ? (const char *)value : "");
    xmlFree(value);
    return buffer;
}

/* --- changing --------------------------------------------------------------------------------------------------- */

static xmlNs *name_space(xmlNode *node, const char *prefix)
{
    const char *uri = strcmp(prefix, "qemu") ? XML_HVSHIM_URI : XML_QEMU_URI;
    xmlNs *ns = xmlSearchNsByHref(node->doc, node, X(uri));

    if (ns)
        return ns;
    /* libvirt wants qemu's at the root, and metadata to carry their own */
    return need(xmlNewNs(strcmp(prefix, "qemu") ? node : xml_domain(node->doc), X(uri), X(prefix)));
}

xmlNode *xml_add(xmlNode *parent, const char *prefix, const char *name)
{
    xmlNode *node = need(xmlNewDocNode(parent->doc, NULL, X(name), NULL));

    xmlAddChild(parent, node);
    if (prefix)
        xmlSetNs(node, name_space(node, prefix));
    return node;
}

xmlNode *xml_add_before(xmlDoc *doc, const char *path, const char *name)
{
    xmlNode *node = xml_add(xml_domain(doc), NULL, name), *next = xml_find(doc, path);

    if (next)
        xmlAddPrevSibling(next, node);
    return node;
}

void xml_set(xmlNode *node, const char *attribute, const char *value)
{
    need(xmlSetProp(node, X(attribute), X(value)));
}

/* libxml2 has no call that takes a declaration back. */
static void forget(xmlNode *node)
{
    xmlNs **at = &node->nsDef;

    while (*at) {
        xmlNs *ns = *at;

        if (!xmlStrEqual(ns->href, X(XML_QEMU_URI))) {
            at = &ns->next;
            continue;
        }
        *at = ns->next;
        xmlFreeNs(ns);
    }
}

xmlNode *xml_copy_in(xmlNode *node, xmlNode *next)
{
    xmlNode *copy = need(xmlDocCopyNode(node, next->doc, 1));

    xmlAddPrevSibling(next, copy);
    if (copy->ns && xmlStrEqual(copy->ns->href, X(XML_QEMU_URI)) && copy->nsDef) {
        xmlSetNs(copy, NULL);
        forget(copy);
        xmlSetNs(copy, name_space(copy, "qemu"));
    }
    return copy;
}

void xml_forget_qemu(xmlDoc *doc)
{
    if (!xml_count(doc, "//qemu:*"))
        forget(xml_domain(doc));
}
