;; The hot loops of chunking and byte grouping. `npm run kernel` assembles them into kernel-module.ts. What they compute is defined
;; by chunker.ts and grouping.ts, and tests hold them against these.
;;
;; Memory: the gear table at 0, the chunker's window from 4 KiB to 20 KiB, two areas for grouping from 64 KiB and 128 KiB on.
;; It never grows. Between calls only $hash is kept.
(module
  (memory (export "memory") 3 3)

  ;; The hash after the last byte that `scan` looked at. Zero at the start of a chunk.
  (global $hash (export "hash") (mut i32) (i32.const 0))

  ;; The address after the first byte in [at, to) whose hash has no bit of `mask`, or 0.
  (func (export "scan") (param $at i32) (param $to i32) (param $mask i32) (result i32)
    (local $hash i32) (local $end i32)
    (local $hashes v128) (local $before v128) (local $least v128) (local $masks v128) (local $hits v128)
    (local.set $hash (global.get $hash))
    (local.set $masks (i32x4.splat (local.get $mask)))

    ;; Pieces of 8 KiB, in four stripes side by side: one test for 32 bytes, and no chain of 8,192 sums.
    (block $found
      (loop $piece
        (br_if $found (i32.lt_u (i32.sub (local.get $to) (local.get $at)) (i32.const 8192)))

        ;; A hash depends on 32 bytes: those before each stripe. The first stripe goes on from the last piece.
        (local.set $end (local.get $at))
        (local.set $at (i32.sub (local.get $at) (i32.const 32)))
        (loop $warming
          (local.set $hashes (i32x4.add (i32x4.shl (local.get $hashes) (i32.const 1))
            (v128.load32_lane 3 (i32.shl (i32.load8_u offset=6144 (local.get $at)) (i32.const 2))
            (v128.load32_lane 2 (i32.shl (i32.load8_u offset=4096 (local.get $at)) (i32.const 2))
            (v128.load32_lane 1 (i32.shl (i32.load8_u offset=2048 (local.get $at)) (i32.const 2))
            (local.get $masks))))))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br_if $warming (i32.lt_u (local.get $at) (local.get $end))))
        (local.set $hashes (i32x4.replace_lane 0 (local.get $hashes) (local.get $hash)))

        (local.set $end (i32.add (local.get $at) (i32.const 2048)))
        (loop $turn
          (local.set $before (local.get $hashes))
          (local.set $hashes (i32x4.add (i32x4.shl (local.get $hashes) (i32.const 1))
            (v128.load32_lane 3 (i32.shl (i32.load8_u offset=6144 (local.get $at)) (i32.const 2))
            (v128.load32_lane 2 (i32.shl (i32.load8_u offset=4096 (local.get $at)) (i32.const 2))
            (v128.load32_lane 1 (i32.shl (i32.load8_u offset=2048 (local.get $at)) (i32.const 2))
            (v128.load32_zero (i32.shl (i32.load8_u offset=0 (local.get $at)) (i32.const 2))))))))
          (local.set $least (local.get $hashes))
          (local.set $hashes (i32x4.add (i32x4.shl (local.get $hashes) (i32.const 1))
            (v128.load32_lane 3 (i32.shl (i32.load8_u offset=6145 (local.get $at)) (i32.const 2))
            (v128.load32_lane 2 (i32.shl (i32.load8_u offset=4097 (local.get $at)) (i32.const 2))
            (v128.load32_lane 1 (i32.shl (i32.load8_u offset=2049 (local.get $at)) (i32.const 2))
            (v128.load32_zero (i32.shl (i32.load8_u offset=1 (local.get $at)) (i32.const 2))))))))
          (local.set $least (i32x4.min_u (local.get $least) (local.get $hashes)))
          (local.set $hashes (i32x4.add (i32x4.shl (local.get $hashes) (i32.const 1))
            (v128.load32_lane 3 (i32.shl (i32.load8_u offset=6146 (local.get $at)) (i32.const 2))
            (v128.load32_lane 2 (i32.shl (i32.load8_u offset=4098 (local.get $at)) (i32.const 2))
            (v128.load32_lane 1 (i32.shl (i32.load8_u offset=2050 (local.get $at)) (i32.const 2))
            (v128.load32_zero (i32.shl (i32.load8_u offset=2 (local.get $at)) (i32.const 2))))))))
          (local.set $least (i32x4.min_u (local.get $least) (local.get $hashes)))
          (local.set $hashes (i32x4.add (i32x4.shl (local.get $hashes) (i32.const 1))
            (v128.load32_lane 3 (i32.shl (i32.load8_u offset=6147 (local.get $at)) (i32.const 2))
            (v128.load32_lane 2 (i32.shl (i32.load8_u offset=4099 (local.get $at)) (i32.const 2))
            (v128.load32_lane 1 (i32.shl (i32.load8_u offset=2051 (local.get $at)) (i32.const 2))
            (v128.load32_zero (i32.shl (i32.load8_u offset=3 (local.get $at)) (i32.const 2))))))))
          (local.set $least (i32x4.min_u (local.get $least) (local.get $hashes)))
          (local.set $hashes (i32x4.add (i32x4.shl (local.get $hashes) (i32.const 1))
            (v128.load32_lane 3 (i32.shl (i32.load8_u offset=6148 (local.get $at)) (i32.const 2))
            (v128.load32_lane 2 (i32.shl (i32.load8_u offset=4100 (local.get $at)) (i32.const 2))
            (v128.load32_lane 1 (i32.shl (i32.load8_u offset=2052 (local.get $at)) (i32.const 2))
            (v128.load32_zero (i32.shl (i32.load8_u offset=4 (local.get $at)) (i32.const 2))))))))
          (local.set $least (i32x4.min_u (local.get $least) (local.get $hashes)))
          (local.set $hashes (i32x4.add (i32x4.shl (local.get $hashes) (i32.const 1))
            (v128.load32_lane 3 (i32.shl (i32.load8_u offset=6149 (local.get $at)) (i32.const 2))
            (v128.load32_lane 2 (i32.shl (i32.load8_u offset=4101 (local.get $at)) (i32.const 2))
            (v128.load32_lane 1 (i32.shl (i32.load8_u offset=2053 (local.get $at)) (i32.const 2))
            (v128.load32_zero (i32.shl (i32.load8_u offset=5 (local.get $at)) (i32.const 2))))))))
          (local.set $least (i32x4.min_u (local.get $least) (local.get $hashes)))
          (local.set $hashes (i32x4.add (i32x4.shl (local.get $hashes) (i32.const 1))
            (v128.load32_lane 3 (i32.shl (i32.load8_u offset=6150 (local.get $at)) (i32.const 2))
            (v128.load32_lane 2 (i32.shl (i32.load8_u offset=4102 (local.get $at)) (i32.const 2))
            (v128.load32_lane 1 (i32.shl (i32.load8_u offset=2054 (local.get $at)) (i32.const 2))
            (v128.load32_zero (i32.shl (i32.load8_u offset=6 (local.get $at)) (i32.const 2))))))))
          (local.set $least (i32x4.min_u (local.get $least) (local.get $hashes)))
          (local.set $hashes (i32x4.add (i32x4.shl (local.get $hashes) (i32.const 1))
            (v128.load32_lane 3 (i32.shl (i32.load8_u offset=6151 (local.get $at)) (i32.const 2))
            (v128.load32_lane 2 (i32.shl (i32.load8_u offset=4103 (local.get $at)) (i32.const 2))
            (v128.load32_lane 1 (i32.shl (i32.load8_u offset=2055 (local.get $at)) (i32.const 2))
            (v128.load32_zero (i32.shl (i32.load8_u offset=7 (local.get $at)) (i32.const 2))))))))
          (local.set $least (i32x4.min_u (local.get $least) (local.get $hashes)))

          ;; The bits of a mask are the highest ones, so that the least hash has none of them if any has none.
          (local.set $hits (i32x4.eq (v128.and (local.get $least) (local.get $masks)) (v128.const i32x4 0 0 0 0)))
          (if (v128.any_true (local.get $hits)) (then
            ;; The cut is here, or in what the stripes before have not seen yet: byte by byte from here.
            (local.set $hash (i32x4.extract_lane 0 (local.get $before)))
            (local.set $to (i32.add (i32.add (local.get $at) (i32.const 8))
              (i32.shl (i32.ctz (i32x4.bitmask (local.get $hits))) (i32.const 11))))
            (br $found)))
          (local.set $at (i32.add (local.get $at) (i32.const 8)))
          (br_if $turn (i32.lt_u (local.get $at) (local.get $end))))
        (local.set $hash (i32x4.extract_lane 3 (local.get $hashes)))
        (local.set $at (i32.add (local.get $at) (i32.const 6144)))
        (br $piece)))

    (block $end
      (loop $byte
        (br_if $end (i32.ge_u (local.get $at) (local.get $to)))
        (local.set $hash (i32.add (i32.shl (local.get $hash) (i32.const 1))
          (i32.load (i32.shl (i32.load8_u (local.get $at)) (i32.const 2)))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $byte (i32.and (local.get $hash) (local.get $mask)))
        (return (local.get $at))))
    (global.set $hash (local.get $hash))
    (i32.const 0))

  ;; Writes the bytes at even places of [from, from + bytes) to `even`, those at odd places to `odd`. `bytes` is a multiple of 32, not 0.
  (func (export "unzip") (param $from i32) (param $bytes i32) (param $even i32) (param $odd i32)
    (local $end i32) (local $a v128) (local $b v128)
    (local.set $end (i32.add (local.get $from) (local.get $bytes)))
    (loop $turn
      (local.set $a (v128.load (local.get $from)))
      (local.set $b (v128.load offset=16 (local.get $from)))
      (v128.store (local.get $even)
        (i8x16.shuffle 0 2 4 6 8 10 12 14 16 18 20 22 24 26 28 30 (local.get $a) (local.get $b)))
      (v128.store (local.get $odd)
        (i8x16.shuffle 1 3 5 7 9 11 13 15 17 19 21 23 25 27 29 31 (local.get $a) (local.get $b)))
      (local.set $from (i32.add (local.get $from) (i32.const 32)))
      (local.set $even (i32.add (local.get $even) (i32.const 16)))
      (local.set $odd (i32.add (local.get $odd) (i32.const 16)))
      (br_if $turn (i32.lt_u (local.get $from) (local.get $end)))))

  ;; The inverse: one byte of `even`, one of `odd`, and so on, into [to, to + bytes).
  (func (export "zip") (param $even i32) (param $odd i32) (param $to i32) (param $bytes i32)
    (local $end i32) (local $a v128) (local $b v128)
    (local.set $end (i32.add (local.get $to) (local.get $bytes)))
    (loop $turn
      (local.set $a (v128.load (local.get $even)))
      (local.set $b (v128.load (local.get $odd)))
      (v128.store (local.get $to)
        (i8x16.shuffle 0 16 1 17 2 18 3 19 4 20 5 21 6 22 7 23 (local.get $a) (local.get $b)))
      (v128.store offset=16 (local.get $to)
        (i8x16.shuffle 8 24 9 25 10 26 11 27 12 28 13 29 14 30 15 31 (local.get $a) (local.get $b)))
      (local.set $to (i32.add (local.get $to) (i32.const 32)))
      (local.set $even (i32.add (local.get $even) (i32.const 16)))
      (local.set $odd (i32.add (local.get $odd) (i32.const 16)))
      (br_if $turn (i32.lt_u (local.get $to) (local.get $end))))))
