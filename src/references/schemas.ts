import { DataFrameRef } from './data-frame-ref.ts';
import { DirectoryRef } from './directory/directory-ref.ts';
import { FileRef } from './file-ref.ts';

/** A Standard Schema (https://standardschema.dev) of references, which tells its JSON Schema, by which interfaces of cached tasks are told apart. */
export interface ReferenceSchema<Reference> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: 'stowage';
    readonly validate: (
      value: unknown,
    ) =>
      | { readonly value: Reference; readonly issues?: undefined }
      | { readonly issues: readonly { readonly message: string }[] };
    readonly types?: { readonly input: Reference; readonly output: Reference } | undefined;
    readonly jsonSchema: {
      readonly input: (options: { target: string }) => Record<string, unknown>;
      readonly output: (options: { target: string }) => Record<string, unknown>;
    };
  };
}

/** The schema of a {@link FileRef}, for the input or output of a cached task, and for `loadTyped`. */
export function fileRef(): ReferenceSchema<FileRef> {
  return schemaOf(
    'file',
    (value) => value instanceof FileRef,
    'a FileRef, as flow.files and task.files make them',
  );
}

/** The schema of a {@link DataFrameRef}, likewise. */
export function dataFrameRef(): ReferenceSchema<DataFrameRef> {
  return schemaOf(
    'frame',
    (value) => value instanceof DataFrameRef,
    'a DataFrameRef, as flow.frames and task.frames make them',
  );
}

/** The schema of a {@link DirectoryRef}, as {@link fileRef} is that of a file. */
export function directoryRef(): ReferenceSchema<DirectoryRef> {
  return schemaOf(
    'directory',
    (value) => value instanceof DirectoryRef,
    'a DirectoryRef, as flow.directories and task.directories make them',
  );
}

/** @param expected - follows "must be" in the issue of anything else */
export function schemaOf<Reference>(
  kind: string,
  is: (value: unknown) => boolean,
  expected: string,
): ReferenceSchema<Reference> {
  const described = (): Record<string, unknown> => ({ type: 'object', format: `stowage-${kind}` });
  return {
    '~standard': {
      version: 1,
      vendor: 'stowage',
      validate: (value) =>
        is(value) ? { value: value as Reference } : { issues: [{ message: `must be ${expected}` }] },
      jsonSchema: { input: described, output: described },
    },
  };
}
