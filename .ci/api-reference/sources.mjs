// What the sources export, and what their docstrings say. Read by ts-morph, which brings a TypeScript of its own:
// TypeScript 7 has no programming interface yet that is meant to stay.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Node, Project, SyntaxKind } from 'ts-morph';

/** What can be imported, and the source of each, as far as it is there: test/house checks what package.json exports. */
const ENTRIES = {
  stowage: 'src/index.ts',
  'stowage/s3': 'src/storage/s3.ts',
  'stowage/azure': 'src/storage/azure.ts',
  'stowage/gcs': 'src/storage/gcs.ts',
  'stowage/sql': 'src/storage/databases.ts',
  'stowage/testing': 'src/testing/index.ts',
};

/** Every export: its name, kind and node, the part of src it lies in, and where it is imported from. */
export function readExports(root, faults) {
  const tsConfigFilePath = join(root, 'tsconfig.json');
  const project = new Project({ tsConfigFilePath, skipAddingFilesFromTsConfig: true });
  const entries = Object.entries(ENTRIES).filter(([, path]) => existsSync(join(root, path)));
  return entries.flatMap(([specifier, path]) => {
    const entry = project.addSourceFileAtPath(join(root, path));
    const types = namesOfTypes(entry);
    return [...entry.getExportedDeclarations()].flatMap(([name, [node]]) => {
      if (!node) faults.add(`${name} is exported, and declared nowhere`);
      if (!node || (types.has(name) && Node.isVariableDeclaration(node))) return [];
      const [part] = node.getSourceFile().getFilePath().slice(join(root, 'src/').length).split('/');
      return [{ name, kind: kindOf(node), node, part, specifier, isOnlyType: types.has(name) }];
    });
  });
}

/** Names that are exported by `export type`: of a class among them nobody can call the constructor. */
function namesOfTypes(entry) {
  const names = entry.getExportDeclarations().flatMap((declaration) => {
    const named = declaration.getNamedExports();
    const types = named.filter((one) => declaration.isTypeOnly() || one.isTypeOnly());
    if (named.length > 0 || !declaration.isTypeOnly()) return types.map((one) => one.getName());
    return [...declaration.getModuleSpecifierSourceFileOrThrow().getExportedDeclarations().keys()];
  });
  return new Set(names);
}

function kindOf(node) {
  if (Node.isClassDeclaration(node)) return 'class';
  if (Node.isInterfaceDeclaration(node)) return 'interface';
  if (Node.isFunctionDeclaration(node)) return 'function';
  return Node.isVariableDeclaration(node) ? 'constant' : 'type';
}

/**
 * The members that users see: those of bases that are not exported are its own, those of other exports are told there, and
 * what `implements` or `extends` explains is not said again. Members named by a symbol go without saying.
 */
export function membersOf(api, { node, kind, isOnlyType }) {
  const isClass = kind === 'class';
  const statics = isClass && !isOnlyType ? node.getStaticMembers() : [];
  const explained = isClass ? typesAbove(api, node) : [];
  const properties = node.getType().getProperties();
  return [
    ...statics.flatMap((member) => {
      const overloads = member.getOverloads?.() ?? [];
      const told = overloads.length > 0 ? overloads : [member];
      return told.map((one) => ({ name: member.getName(), node: one, isOptional: false }));
    }),
    ...properties.map((symbol) => ({
      name: symbol.getName(),
      node: symbol.getDeclarations()[0],
      isOptional: symbol.isOptional(),
    })),
  ].filter(({ name, node: member }) => {
    if (!member || !isOurs(member) || !isPublic(member) || name.startsWith('__@')) return false;
    if (isClass && member.getParent() !== node && api.byNode.has(member.getParent())) return false;
    return !isSilent(member) || !explained.some((type) => type.getProperty(name));
  });
}

/** The exported types that a class extends or implements. */
function typesAbove(api, node) {
  const types = node.getImplements().map((one) => one.getType());
  const base = node.getBaseClass()?.getType();
  return [...types, base].filter((type) => api.byNode.has(type?.getSymbol()?.getDeclarations()[0]));
}

/** Whether users may see it: neither private nor marked `@internal`. */
export function isPublic(member) {
  const isPrivate = member.getScope?.() === 'private' || member.getName?.().startsWith('#');
  return !isPrivate && !docOf(member).tags.internal;
}

function isSilent(member) {
  const { text, tags } = docOf(member);
  return text === '' && Object.keys(tags).length === 0;
}

export function isMethod(member) {
  return Node.isMethodDeclaration(member) || Node.isMethodSignature(member);
}

/** A docstring: its text, and the texts of its tags by their names. */
export function docOf(node) {
  const documented = Node.isVariableDeclaration(node) ? node.getVariableStatement() : node;
  const doc = documented?.getJsDocs?.().at(-1);
  const tags = {};
  for (const tag of doc?.getTags() ?? []) {
    const text = tag.getCommentText() ?? '';
    tags[tag.getTagName()] ??= [];
    tags[tag.getTagName()].push(Node.isJSDocParameterTag(tag) ? `\`${tag.getName()}\` ${text}` : text);
  }
  return { text: doc?.getCommentText()?.trim() ?? '', tags };
}

/** The types of the package that a declaration names, its body apart. */
export function typesNamedBy(node) {
  const parts = node.getParameters?.().map((one) => one.getTypeNode()) ?? [node.getTypeNode?.()];
  const types = [...parts, node.getReturnTypeNode?.(), ...(node.getTypeParameters?.() ?? [])].filter(Boolean);
  const references = types.flatMap((type) => [
    ...(Node.isTypeReference(type) ? [type] : []),
    ...type.getDescendantsOfKind(SyntaxKind.TypeReference),
  ]);
  return references.flatMap((reference) => ourDeclarations(reference.getTypeName()));
}

/** What a name stands for, if the package declares it. */
export function ourDeclarations(name) {
  const symbol = name.getSymbol();
  const declaration = (symbol?.getAliasedSymbol() ?? symbol)?.getDeclarations()[0];
  const isNamed = declaration && isOurs(declaration) && !Node.isTypeParameterDeclaration(declaration);
  return isNamed ? [{ name: name.getText(), declaration }] : [];
}

/** Whether it is declared in the package, rather than by the language or a dependency. */
function isOurs(node) {
  return !node.getSourceFile().isDeclarationFile();
}
