import * as asc from 'assemblyscript';
import type { CodeProblem } from '../compile.ts';
import { codeProblem } from './explain.ts';
import { stepModule } from './library.ts';

const defining = { convert: 'defineConvert', filter: 'defineFilter' } as const;

/** What cannot even be parsed, though TypeScript can. */
export function checkDefault(kind: 'convert' | 'filter', source: string): CodeProblem[] {
  const match = /^[ \t]*export\s+default\b(?!\s+(?!function\b|class\b|async\b)[\w$.]+\s*\()/m.exec(source);
  if (!match) return [];
  const start = match.index + match[0].indexOf('export');
  return [codeProblem(source, start, match.index + match[0].length, `A step is defined with export default ${defining[kind]}((msg, ctx) => { … })`)];
}

/** What a step must and must not have, whatever its types. */
export function checkSource(kind: 'convert' | 'filter', step: asc.Source): CodeProblem[] {
  const imports = strangeImports(step);
  return imports.length > 0 ? imports : checkDefinition(kind, step);
}

function strangeImports(step: asc.Source): CodeProblem[] {
  const problems: CodeProblem[] = [];
  for (const statement of step.statements) {
    if (!(statement instanceof asc.ImportStatement || statement instanceof asc.ExportStatement) || !statement.path) continue;
    const { value, range } = statement.path;
    if (value === stepModule) continue;
    const message = `A step can import only "${stepModule}", not ${JSON.stringify(value)}. Put the code it needs into the step itself.`;
    problems.push(codeProblem(step.text, range.start, range.end, message));
  }
  return problems;
}

/** One call of the right function, at the top level: the platform knows the step by it. */
function checkDefinition(kind: 'convert' | 'filter', step: asc.Source): CodeProblem[] {
  const wanted = defining[kind];
  const called = topLevelCalls(step);
  const wrong = called.find(({ name }) => name !== wanted);
  const at = (call: asc.CallExpression, message: string): CodeProblem[] => [
    codeProblem(step.text, call.expression.range.start, call.expression.range.end, message),
  ];
  if (wrong) return at(wrong.call, `This is a ${kind} step: it needs ${wanted}(…), not ${wrong.name}(…)`);
  if (called[1]) return at(called[1].call, `A step has one ${wanted}(…): this is another one`);
  if (called[0]) return [];
  return [codeProblem(step.text, 0, 0, `The code needs a call at its top level: ${wanted}((msg, ctx) => { … })`)];
}

function topLevelCalls(step: asc.Source): { name: string; call: asc.CallExpression }[] {
  const names = importedNames(step);
  return step.statements.flatMap((statement) => {
    const call = statement instanceof asc.ExpressionStatement ? statement.expression : null;
    if (!(call instanceof asc.CallExpression)) return [];
    const callee = step.text.slice(call.expression.range.start, call.expression.range.end);
    const name = names.get(callee);
    return name === undefined ? [] : [{ name, call }];
  });
}

/** By what the step calls them: `import { defineConvert as define }`, `import * as sdk`. */
function importedNames(step: asc.Source): Map<string, string> {
  const names = new Map<string, string>();
  for (const statement of step.statements) {
    if (!(statement instanceof asc.ImportStatement)) continue;
    for (const name of Object.values(defining)) {
      if (statement.namespaceName) names.set(`${statement.namespaceName.text}.${name}`, name);
      for (const declaration of statement.declarations ?? []) if (declaration.foreignName.text === name) names.set(declaration.name.text, name);
    }
  }
  return names;
}
