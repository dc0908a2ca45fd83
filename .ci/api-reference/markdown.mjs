// Exports as Markdown that reads well on GitHub: code for signatures, tables for properties, links between types.
import { Node, SyntaxKind } from 'ts-morph';
import { docOf, isMethod, isPublic, membersOf, ourDeclarations, typesNamedBy } from './sources.mjs';

const NOTE = '<!-- Written by `npm run docs` from the docstrings in src: change those. -->';
/** Kinds, in the order in which a page has them. */
const KINDS = {
  class: 'Classes',
  function: 'Functions',
  constant: 'Constants',
  interface: 'Interfaces',
  type: 'Types',
};
/** What nearly every call takes; the index says it once. */
const TAKEN_BY_ALL = 'CallOptions';
const LINE_WIDTH = 100;

export function indexText(api, pages) {
  const tables = pages.flatMap(({ file, title, exports }) => {
    const rows = inOrder(exports).map(({ name, node }) => {
      const summary = /^[\s\S]*?\.(?=\s|$)/.exec(docOf(node).text)?.[0] ?? '';
      return `| [${name}](${file}#${anchorOf(name)}) | ${cell(linked(api, summary, { page: {} }))} |`;
    });
    return [`## [${title}](${file})`, ['| name | what it is for |', '| --- | --- |', ...rows].join('\n')];
  });
  const head = `Everything the package exports, and what its docstrings say of it. The [guide](../guide/README.md) tells how to use it,
[errors.md](../errors.md) what each code means. Calls that reach the store also take \`signal\` among their options, which ends
them early ([CallOptions](storage.md#calloptions)).`;
  return `${[NOTE, '# API', head, ...tables].join('\n\n')}\n`;
}

export function pageText(api, { title, exports }) {
  const contents = Object.entries(KINDS).flatMap(([kind, heading]) => {
    const names = exports.filter((one) => one.kind === kind).map(({ name }) => name);
    return names.length > 0
      ? [`- ${heading}: ${names.map((name) => `[${name}](#${anchorOf(name)})`).join(', ')}`]
      : [];
  });
  const specifiers = [...new Set(exports.map(({ specifier }) => `\`${specifier}\``))].join(', ');
  const head = [NOTE, `# ${title}`, `From ${specifiers}. [All exports](README.md)`, contents.join('\n')];
  return `${[...head, ...inOrder(exports).flatMap((one) => exportText(api, one))].join('\n\n')}\n`;
}

function inOrder(exports) {
  const order = Object.keys(KINDS);
  return exports.toSorted((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
}

function exportText(api, one) {
  const { name, kind, node } = one;
  if (docOf(node).text === '') api.faults.add(`${name} has no docstring`);
  const head = [`## ${name}`];
  const doc = docText(api, one, node);
  if (kind === 'constant') return [...head, ...doc];
  if (kind === 'class' || kind === 'interface')
    return [...head, kindText(api, one), ...doc, ...membersText(api, one)];
  const isFunction = kind === 'function';
  const code = isFunction ? `function ${signatureText(name, node)}` : node.getText().replace(/^export /, '');
  // Of a type that picks from others, or joins them, the properties are told, and the others need not be known.
  const type = node.getTypeNode?.();
  const isComposed = Node.isTypeReference(type) || Node.isIntersectionTypeNode(type);
  const properties = isComposed ? propertiesText(api, one) : [];
  return [
    ...head,
    fenced(code),
    ...doc,
    ...(properties.length > 0 ? properties : typesText(api, one, name, node)),
  ];
}

/** The kind, the type parameters, and what it extends and implements, unless only the sources know that. */
function kindText(api, one) {
  const { name, kind, node } = one;
  const lists = { extends: [node.getExtends()].flat(), implements: node.getImplements?.() ?? [] };
  const heritage = Object.entries(lists).flatMap(([word, list]) => {
    const known = list
      .filter((each) => each && isKnown(api, each))
      .map((each) => typeLink(api, each.getText(), one));
    return known.length > 0 ? [`${word} ${known.join(', ')}`] : [];
  });
  const types = node.getTypeParameters().map((each) => each.getText());
  const shown = node.isAbstract?.() ? `abstract ${kind}` : kind;
  const title = types.length > 0 ? `${shown} \`${name}<${types.join(', ')}>\`` : shown;
  return `*${[title, ...heritage].join(', ')}*`;
}

function isKnown(api, heritage) {
  const names = heritage.getDescendantsOfKind(SyntaxKind.Identifier).flatMap(ourDeclarations);
  return names.every(({ declaration }) => api.byNode.has(declaration));
}

function membersText(api, one) {
  const { name, kind, node, isOnlyType } = one;
  const isMade = kind === 'class' && !isOnlyType && !node.isAbstract();
  const constructors = isMade ? node.getConstructors().filter((each) => isPublic(each)) : [];
  const methods = membersOf(api, one).filter((member) => isMethod(member.node));
  return [
    ...constructors.flatMap((each) => callText(api, one, name, `new ${name}`, each)),
    ...propertiesText(api, one),
    ...methods.flatMap((member) => methodText(api, one, member)),
  ];
}

function propertiesText(api, one) {
  const properties = membersOf(api, one).filter(({ node }) => !isMethod(node));
  const rows = properties.map(({ name, node, isOptional }) => {
    findUnknownTypes(api, `${one.name}.${name}`, node);
    const type = oneLine(typeTextOf(node).replace(isOptional ? / \| undefined$/ : '', ''));
    const meaning = docText(api, one, node).join(' ');
    const shown = `${node.getScope?.() === 'protected' ? 'protected ' : ''}${name}${isOptional ? '?' : ''}`;
    return `| \`${shown}\` | ${cell(typeLink(api, type, one))} | ${cell(meaning)} |`;
  });
  return rows.length > 0
    ? [['| property | type | meaning |', '| --- | --- | --- |', ...rows].join('\n')]
    : [];
}

function methodText(api, one, { name, node }) {
  const where = `${one.name}.${name}`;
  if (docOf(node).text === '') api.faults.add(`${where} has no docstring`);
  return [`### ${where}()`, ...callText(api, one, where, node.isStatic?.() ? where : name, node)];
}

function callText(api, one, where, called, node) {
  return [
    fenced(signatureText(called, node)),
    ...docText(api, one, node),
    ...typesText(api, one, where, node),
  ];
}

function docText(api, one, node) {
  const { text, tags } = docOf(node);
  const throws = (tags.throws ?? []).map((each) => each.replace(/^StowageError\s*/, '')).join(' ');
  return [
    text,
    (tags.param ?? []).map((each) => `- ${oneLine(each)}`).join('\n'),
    tags.returns ? `Returns ${tags.returns.join(' ')}` : '',
    throws === '' ? '' : `**Throws** ${withCodes(api, throws, one)}`,
    ...(tags.example ?? []),
  ].flatMap((part) => (part === '' ? [] : [linked(api, part, one)]));
}

/** Codes as links to what docs/errors.md says of them. */
function withCodes(api, text, one) {
  return text.replace(/`([A-Z]+_[A-Z_]+|ABORTED)`/g, (code, name) => {
    if (api.codes.has(name)) return `[${code}](../errors.md#${anchorOf(api.codes.get(name))})`;
    api.faults.add(`${one.name} throws ${name}, which docs/errors.md does not know`);
    return code;
  });
}

/** Links to the types that a signature names: code has none. */
function typesText(api, one, where, node) {
  findUnknownTypes(api, where, node);
  const named = typesNamedBy(node).map(({ declaration }) => api.byNode.get(declaration)?.name);
  const names = [...new Set(named)].filter((name) => name && name !== one.name && name !== TAKEN_BY_ALL);
  return names.length > 0 ? [`Types: ${names.map((name) => typeLink(api, name, one)).join(', ')}`] : [];
}

function findUnknownTypes(api, where, node) {
  for (const { name, declaration } of typesNamedBy(node)) {
    if (!api.byNode.has(declaration))
      api.faults.add(`${where} names the type ${name}, which is not exported`);
  }
}

function signatureText(name, node) {
  const types = node.getTypeParameters?.().map((each) => each.getText()) ?? [];
  const head = oneLine(types.length > 0 ? `${name}<${types.join(', ')}>` : name);
  const parameters = node.getParameters().map(parameterText);
  const result = Node.isConstructorDeclaration(node) ? '' : `: ${oneLine(typeTextOf(node))}`;
  const line = `${head}(${parameters.join(', ')})${result}`;
  return line.length <= LINE_WIDTH
    ? line
    : `${head}(\n${parameters.map((each) => `  ${each},\n`).join('')})${result}`;
}

/** A default is shown if it is a plain value; elsewhere the parameter is just optional. */
function parameterText(parameter) {
  const value = parameter.getInitializer();
  const isPlain = value && (Node.isLiteralExpression(value) || /^(true|false|null)$/.test(value.getText()));
  const isOptional = parameter.hasQuestionToken() || (value && !isPlain);
  const name = `${parameter.isRestParameter() ? '...' : ''}${parameter.getName()}${isOptional ? '?' : ''}`;
  return oneLine(`${name}: ${typeTextOf(parameter)}${isPlain ? ` = ${value.getText()}` : ''}`);
}

/** The type of a property or parameter, or what a method returns, as it is written, or else as it is inferred. */
function typeTextOf(node) {
  const written = node.getTypeNode?.() ?? node.getReturnTypeNode?.();
  return written?.getText() ?? (node.getReturnType?.() ?? node.getType()).getText(node);
}

/** A type as code; as a link where it names one export, and no more. */
function typeLink(api, type, from) {
  const [name, ...more] = new Set((type.match(/\b[A-Z]\w+/g) ?? []).filter((word) => api.byName.has(word)));
  if (!name || more.length > 0 || name === from.name) return `\`${type}\``;
  return `[\`${type}\`](${addressOf(api, name, from)})`;
}

/** A text with each `{@link ...}` as a link. */
function linked(api, text, from) {
  return text.replace(/\{@link ([^}\s|]+)\}/g, (_all, target) => {
    const address = addressOf(api, target, from);
    if (address) return `[\`${target}\`](${address})`;
    // The index repeats what a page says of it.
    if (from.name) api.faults.add(`${from.name} links to ${target}, which is not in the reference`);
    return `\`${target}\``;
  });
}

/** Where `Export`, `Export.member` or a member of `from` is explained, as seen from the page of `from`. */
function addressOf(api, target, from) {
  const [name, member] = api.byName.has(target.split('.')[0]) ? target.split('.') : [from.name, target];
  const one = api.byName.get(name);
  const found = member && one ? membersOf(api, one).find((each) => each.name === member) : undefined;
  if (!one || (member && !found)) return undefined;
  const file = one.page.file === from.page.file ? '' : one.page.file;
  return `${file}#${anchorOf(found && isMethod(found.node) ? `${name}.${member}()` : name)}`;
}

/** The anchor that GitHub gives a heading. */
function anchorOf(heading) {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

function oneLine(text) {
  return text
    .replace(/\s+/g, ' ')
    .replace(/([(<[]) /g, '$1')
    .replace(/,? ([)>\]])/g, '$1')
    .trim();
}

function cell(text) {
  return text.replace(/\s*\n\s*/g, ' ').replaceAll('|', '\\|');
}

function fenced(code) {
  return `\`\`\`ts\n${code}\n\`\`\``;
}
