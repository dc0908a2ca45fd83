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

/** What compilers and bundlers put into code (TypeScript, esbuild and so tsx, Vite): their own, and the same for all code. */
export const COMPILER_HELPERS: ReadonlySet<string> = new Set(
  `
    __addDisposableResource __assign __async __asyncDelegator __asyncGenerator __asyncValues __await __awaiter
    __callDispose __classPrivateFieldGet __classPrivateFieldIn __classPrivateFieldSet __createBinding __decorate
    __decorateClass __decorateElement __decoratorMetadata __decoratorStart __disposeResources __esDecorate
    __extends __forAwait __generator __importDefault __importStar __makeTemplateObject __metadata __name
    __objRest __param __pow __privateAdd __privateGet __privateIn __privateMethod __privateSet __privateWrapper
    __propKey __publicField __read __rest __restKey __runInitializers __setFunctionName __spread __spreadArray
    __spreadArrays __spreadProps __spreadValues __template __toESM __toPropertyKey __typeError __using __values
    __vite_ssr_import_meta__ __yieldStar
  `
    .trim()
    .split(/\s+/),
);
