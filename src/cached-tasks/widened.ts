/**
 * A type without what is lost where a function's type is inferred beside that of a schema: literals are texts, numbers and so on
 * there, and tuples are arrays. `async () => ({ grade: 'good' })` is so a function for a schema that takes `{ grade: 'good' | 'bad' }`.
 */
export type Widened<T> = unknown extends T
  ? T
  : T extends string
    ? string
    : T extends number
      ? number
      : T extends bigint
        ? bigint
        : T extends boolean
          ? boolean
          : T extends (...args: never) => unknown
            ? T
            : T extends readonly unknown[]
              ? readonly Widened<T[number]>[]
              : { [Name in keyof T]: Widened<T[Name]> };
