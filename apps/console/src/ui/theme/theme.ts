import { type CSSVariablesResolver, createTheme, type MantineColorsTuple } from '@mantine/core';

// Scales are even steps of lightness in OKLCH, so that the same shade of two colours weighs the same on the page.
const sky: MantineColorsTuple = ['#f2f7ff', '#e2eeff', '#c3ddff', '#9ac5ff', '#69a5fe', '#3c88f5', '#0e6ee6', '#005bc8', '#01489f', '#083572'];
const good: MantineColorsTuple = ['#edfbf1', '#d6f6e0', '#aeecc2', '#7fdaa0', '#49bf7b', '#2da364', '#228953', '#1c7445', '#185b37', '#124227'];
const wait: MantineColorsTuple = ['#fff8ea', '#ffeecb', '#ffde99', '#ffc760', '#f3ab2a', '#da8f0b', '#b77312', '#8f5613', '#7a4717', '#583313'];
const bad: MantineColorsTuple = ['#fff4f2', '#ffe6e3', '#ffcbc5', '#ffa8a0', '#f67972', '#e94b4a', '#d02b31', '#b12027', '#8b1e20', '#631a1a'];
const quiet: MantineColorsTuple = ['#f4f7fb', '#e8edf4', '#d3dce7', '#b8c4d2', '#98a6b8', '#7e8c9f', '#677689', '#556375', '#424e5e', '#2f3945'];
const gray: MantineColorsTuple = ['#f9fafb', '#f3f4f6', '#ebedef', '#e1e3e7', '#ced1d6', '#a0a5ac', '#656a74', '#4d535d', '#30363f', '#191e27'];
const dark: MantineColorsTuple = ['#e5e8ec', '#ced1d6', '#9a9fa6', '#6f737b', '#363940', '#272a30', '#1e2125', '#14161a', '#0d0f12', '#08090c'];

export const fontFamily = "'Inter Variable', 'Inter fallback', system-ui, -apple-system, 'Segoe UI', sans-serif";
export const fontFamilyMonospace = "'JetBrains Mono Variable', ui-monospace, SFMono-Regular, Menlo, Consolas, monospace";

export const theme = createTheme({
  primaryColor: 'sky',
  primaryShade: 6,
  // Mantine's own parts ask for red, green and yellow: they get the state colours.
  colors: { sky, good, wait, bad, quiet, gray, dark, blue: sky, red: bad, green: good, yellow: wait, orange: wait },
  white: '#ffffff',
  black: '#191e27',
  fontFamily,
  fontFamilyMonospace,
  fontSizes: { xs: '0.75rem', sm: '0.8125rem', md: '0.875rem', lg: '1rem', xl: '1.25rem' },
  lineHeights: { xs: '1.35', sm: '1.4', md: '1.5', lg: '1.5', xl: '1.4' },
  spacing: { xs: '0.5rem', sm: '0.75rem', md: '1rem', lg: '1.5rem', xl: '2rem' },
  radius: { xs: '3px', sm: '4px', md: '6px', lg: '8px', xl: '12px' },
  defaultRadius: 'md',
  shadows: {
    xs: '0 1px 1px rgb(16 24 40 / 4%)',
    sm: '0 1px 2px rgb(16 24 40 / 6%)',
    md: '0 4px 12px rgb(16 24 40 / 8%)',
    lg: '0 8px 24px rgb(16 24 40 / 10%)',
    xl: '0 12px 40px rgb(16 24 40 / 14%)',
  },
  headings: {
    fontFamily,
    fontWeight: '600',
    sizes: {
      h1: { fontSize: '1.25rem', lineHeight: '1.75rem' },
      h2: { fontSize: '1rem', lineHeight: '1.5rem' },
      h3: { fontSize: '0.875rem', lineHeight: '1.25rem' },
      h4: { fontSize: '0.8125rem', lineHeight: '1.25rem' },
    },
  },
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    ActionIcon: { defaultProps: { variant: 'subtle', color: 'gray', size: 'md' } },
    Badge: { defaultProps: { radius: 'sm', variant: 'light' } },
    Button: { defaultProps: { size: 'xs' }, styles: { label: { fontWeight: 550 } } },
    InputWrapper: { styles: { label: { marginBottom: 4, fontWeight: 550 }, description: { marginBottom: 6 } } },
    Menu: { defaultProps: { shadow: 'md', radius: 'md' } },
    Modal: {
      defaultProps: { centered: true, radius: 'lg', overlayProps: { backgroundOpacity: 0.4 }, closeButtonProps: { 'aria-label': 'Close' } },
      styles: { title: { fontWeight: 600 } },
    },
    Notification: { defaultProps: { closeButtonProps: { 'aria-label': 'Dismiss' } } },
    PasswordInput: { defaultProps: { size: 'sm' } },
    Select: { defaultProps: { size: 'sm' } },
    TextInput: { defaultProps: { size: 'sm' } },
    Textarea: { defaultProps: { size: 'sm' } },
    Tooltip: { defaultProps: { openDelay: 250, multiline: true, maw: 320, fz: 'xs', radius: 'sm', events: { hover: true, focus: true, touch: true } } },
  },
});

interface Tone {
  fg: string;
  bg: string;
  line: string;
  solid: string;
}

function toneVariables(name: string, tone: Tone): Record<string, string> {
  return { [`--vr-${name}-fg`]: tone.fg, [`--vr-${name}-bg`]: tone.bg, [`--vr-${name}-line`]: tone.line, [`--vr-${name}-solid`]: tone.solid };
}

const lightTone = (scale: MantineColorsTuple): Tone => ({ fg: scale[7], bg: scale[0], line: scale[2], solid: scale[5] });
const darkTone = (scale: MantineColorsTuple): Tone => ({
  fg: scale[4],
  bg: `color-mix(in srgb, ${scale[5]} 14%, ${dark[7]})`,
  line: `color-mix(in srgb, ${scale[5]} 36%, ${dark[7]})`,
  solid: scale[5],
});

function allTones(toTone: (scale: MantineColorsTuple) => Tone): Record<string, string> {
  return Object.assign({}, ...Object.entries({ accent: sky, good, wait, bad, quiet }).map(([name, scale]) => toneVariables(name, toTone(scale))));
}

/**
 * Our own names over Mantine's: `canvas` is the page, `surface` what lies on it, `line` a hairline; each tone (accent, good, wait, bad,
 * quiet) has `fg` (text and icons), `bg` (tint), `line` (border of a tint) and `solid` (marks in charts).
 */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--vr-canvas': gray[0],
    '--vr-surface': '#ffffff',
    '--vr-sunken': gray[1],
    '--vr-hover': gray[1],
    '--vr-line': gray[3],
    '--vr-text': gray[9],
    '--vr-dim': gray[6],
    '--mantine-color-text': gray[9],
    '--mantine-color-dimmed': gray[6],
    '--mantine-color-placeholder': gray[6],
    '--mantine-color-default-border': gray[4],
    '--mantine-color-anchor': sky[7],
    '--mantine-color-error': bad[7],
    ...allTones(lightTone),
  },
  dark: {
    '--vr-canvas': dark[8],
    '--vr-surface': dark[7],
    '--vr-sunken': '#101215',
    '--vr-hover': dark[6],
    '--vr-line': dark[5],
    '--vr-text': dark[0],
    '--vr-dim': dark[2],
    '--mantine-color-text': dark[0],
    '--mantine-color-dimmed': dark[2],
    '--mantine-color-placeholder': '#868b93',
    '--mantine-color-default-border': dark[4],
    '--mantine-color-error': bad[4],
    ...allTones(darkTone),
  },
});
