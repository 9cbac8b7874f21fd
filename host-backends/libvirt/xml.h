/*
 * What this folder needs of libxml2: domain XML as libvirt gives and takes it [libvirt formatdomain].
 *
 * Paths are XPath from the <domain> element; the prefixes `qemu` and `hvshim` are known. Memory that cannot be had ends
 * the program: there is nothing half done then, since libvirt takes a domain whole.
 */
#ifndef HVSHIM_VIRT_XML_H
#define HVSHIM_VIRT_XML_H

#include <libxml/tree.h>
#include <stdbool.h>
#include <stddef.h>

#define XML_QEMU_URI "http://libvirt.org/schemas/domain/qemu/1.0"
#define XML_HVSHIM_URI "urn:hvshim:persona:1"

/* The document, to be freed with xmlFreeDoc; NULL where `text` is no domain. Space that only indents is dropped. */
xmlDoc *xml_parse(const char *text);
/* Indented, malloc'ed by libxml2: for xmlFree. */
char *xml_text(xmlDoc *doc);
/* *copy is of `doc`, to be changed. */
xmlDoc *xml_copy(xmlDoc *doc);

xmlNode *xml_domain(xmlDoc *doc);
/* The first at `path`, or NULL. */
xmlNode *xml_find(xmlDoc *doc, const char *path);
/* Calls `each` for all at `path`, in their order. */
void xml_each(xmlDoc *doc, const char *path, void (*each)(void *ctx, xmlNode *node), void *ctx);
size_t xml_count(xmlDoc *doc, const char *path);
/* Takes all at `path` out. */
void xml_remove(xmlDoc *doc, const char *path);

/* The text of the first at `path` (an element or attribute); empty where there is none. Valid until the next call with
   the same `buffer`. */
const char *xml_value(xmlDoc *doc, const char *path, char *buffer, size_t bytes);
/* An element below `parent`, of the namespace `prefix` where that is not NULL; appended. */
xmlNode *xml_add(xmlNode *parent, const char *prefix, const char *name);
/* One of the domain's own, before what is at `path`: where libvirt has it too, so that differences stay small. */
xmlNode *xml_add_before(xmlDoc *doc, const char *path, const char *name);
void xml_set(xmlNode *node, const char *attribute, const char *value);
/* A copy before `next`, which has the same parent then; an element of qemu's namespace as the root declares it. */
xmlNode *xml_copy_in(xmlNode *node, xmlNode *next);
/* Takes the declaration of qemu's namespace from the root, where nothing is of it. */
void xml_forget_qemu(xmlDoc *doc);

#endif
