/** What was measured of cached tasks, as tables: rows of text, the first one their head. */
export function cacheTables({ measured, requests }) {
  return [
    { id: 'cache-speed', title: 'Cached calls', rows: speedTable(measured) },
    { id: 'cache-requests', title: 'Requests of cached calls', rows: requestTable(requests) },
  ];
}

function speedTable(measured) {
  const [{ callers }] = measured;
  return [
    [
      'cache',
      'a hit, median',
      '99th percentile',
      `hits per second, ${callers} callers`,
      'a miss adds',
      'hit beside ours',
      'miss beside ours',
      'must',
    ],
    ...measured.map(({ name, hitUs, p99Us, perSecond, missUs, timesHit, timesMiss, must }) => [
      name,
      duration(hitUs),
      duration(p99Us),
      range(perSecond, (count) => count.toFixed(0)),
      duration(missUs),
      name === 'Stowage' ? '' : `${range(timesHit, fixed)} times`,
      name === 'Stowage' ? '' : `${range(timesMiss, fixed)} times`,
      must ? mustText(must) : '',
    ]),
  ];
}

function mustText({ hitUs, isHitMet, missOfJoblib }) {
  const hit = `a hit in ${hitUs} µs: ${isHitMet ? 'met' : 'MISSED'}`;
  if (missOfJoblib === undefined) return hit;
  return `${hit}; a miss in joblib's time: ${missOfJoblib <= 1 ? 'met' : 'MISSED'} (${fixed(missOfJoblib)} times)`;
}

function requestTable(requests) {
  return [
    ['call', 'requests', 'of which'],
    ...requests.map(({ work, requests: count, by }) => [
      work,
      String(count),
      Object.entries(by)
        .map(([operation, calls]) => `${calls} ${operation}`)
        .join(', '),
    ]),
  ];
}

function duration({ median, min, max }) {
  if (median < 1000) return `${range({ median, min, max }, (us) => us.toFixed(0))} µs`;
  return `${range({ median, min, max }, (us) => fixed(us / 1000))} ms`;
}

function range({ median, min, max }, format) {
  return `${format(median)} (${format(min)}-${format(max)})`;
}

function fixed(number) {
  return number.toFixed(number < 10 ? 2 : 1);
}
