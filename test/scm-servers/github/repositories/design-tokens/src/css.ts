export type Tokens = Readonly<Record<string, Readonly<Record<string, string>>>>

/** One CSS variable for each token, such as `--colour-ink`. */
export function toCss(tokens: Tokens): string {
  const lines = Object.entries(tokens).flatMap(([group, values]) =>
    Object.entries(values).map(([name, value]) => `  --${group}-${name}: ${value};`),
  )
  return [':root {', ...lines, '}', ''].join('\n')
}
