/** Globals of the language and of Node.js up to 26, and what CommonJS gives each module: none of them is part of a task's own code. */
export const BUILT_IN_GLOBALS: ReadonlySet<string> = new Set(
  `
    AbortController AbortSignal AggregateError Array ArrayBuffer AsyncDisposableStack Atomics BigInt BigInt64Array
    BigUint64Array Blob Boolean BroadcastChannel Buffer ByteLengthQueuingStrategy CloseEvent CompressionStream
    CountQueuingStrategy Crypto CryptoKey CustomEvent DOMException DataView Date DecompressionStream
    DisposableStack Error ErrorEvent EvalError Event EventSource EventTarget File FinalizationRegistry
    Float16Array Float32Array Float64Array FormData Function Headers Infinity Int16Array Int32Array Int8Array Intl
    Iterator JSON Map Math MessageChannel MessageEvent MessagePort NaN Navigator Number Object Performance
    PerformanceEntry PerformanceMark PerformanceMeasure PerformanceObserver PerformanceObserverEntryList
    PerformanceResourceTiming Promise Proxy RangeError ReadableByteStreamController ReadableStream
    ReadableStreamBYOBReader ReadableStreamBYOBRequest ReadableStreamDefaultController ReadableStreamDefaultReader
    ReferenceError Reflect RegExp Request Response Set SharedArrayBuffer Storage String SubtleCrypto
    SuppressedError Symbol SyntaxError Temporal TextDecoder TextDecoderStream TextEncoder TextEncoderStream
    TransformStream TransformStreamDefaultController TypeError URIError URL URLPattern URLSearchParams Uint16Array
    Uint32Array Uint8Array Uint8ClampedArray WeakMap WeakRef WeakSet WebAssembly WebSocket WritableStream
    WritableStreamDefaultController WritableStreamDefaultWriter __dirname __filename atob btoa clearImmediate
    clearInterval clearTimeout console crypto decodeURI decodeURIComponent encodeURI encodeURIComponent escape
    eval fetch global globalThis isFinite isNaN navigator parseFloat parseInt performance process queueMicrotask
    setImmediate setInterval setTimeout structuredClone undefined unescape
  `
    .trim()
    .split(/\s+/),
);
