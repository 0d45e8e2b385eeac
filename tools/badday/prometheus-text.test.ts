import { expect, test } from 'vitest';
import { parsePrometheusText } from './prometheus-text.ts';

const gauge = '# HELP up Whether it is.\n# TYPE up gauge\n';
const histogram = (lines: string): string => `# HELP wait_seconds Waits.\n# TYPE wait_seconds histogram\n${lines}`;

test('families with their series, labels unescaped', () => {
  const families = parsePrometheusText(
    `${gauge}up{job="a \\"b\\"",host="x\\ny"} 1\nup{job="b"} NaN\n\n${histogram('wait_seconds_bucket{le="1"} 2\nwait_seconds_bucket{le="+Inf"} 3\nwait_seconds_sum 4.5\nwait_seconds_count 3\n')}`,
  );
  expect([...families.keys()]).toEqual(['up', 'wait_seconds']);
  expect(families.get('up')).toMatchObject({
    type: 'gauge',
    help: 'Whether it is.',
    series: [{ labels: { job: 'a "b"', host: 'x\ny' }, value: 1 }, { labels: { job: 'b' } }],
  });
});

test.each([
  ['a value without its type', '# HELP up Is.\nup 1\n', /not announced/],
  ['a value of another family', `${gauge}down 1\n`, /not announced/],
  ['a family in two pieces', `${gauge}up 1\n# HELP b B.\n# TYPE b gauge\nb 1\n${gauge}`, /began before/],
  ['a series that is there twice', `${gauge}up{a="1",b="2"} 1\nup{b="2",a="1"} 1\n`, /was there before/],
  ['a label without quotes', `${gauge}up{a=1} 1\n`, /neither a value/],
  ['a value that is no number', `${gauge}up one\n`, /no number/],
  ['a type that does not exist', '# TYPE up number\n', /no such type/],
  ['an open last line', `${gauge}up 1`, /no end/],
  [
    'buckets that shrink',
    histogram('wait_seconds_bucket{le="1"} 4\nwait_seconds_bucket{le="+Inf"} 3\nwait_seconds_sum 1\nwait_seconds_count 3\n'),
    /do not fit/,
  ],
  ['buckets without an end', histogram('wait_seconds_bucket{le="1"} 3\nwait_seconds_sum 1\nwait_seconds_count 3\n'), /do not fit/],
])('%s is refused', (_name, text, why) => {
  expect(() => parsePrometheusText(text)).toThrow(why);
});
