// node check.cjs ANSWERS: reads [{spec, payloads: [file, ...]}] from standard input, writes [{file, operation, issues}]
// to the file ANSWERS, since oav itself talks on standard output.
// `NODE_PATH` names the folder with oav. The library is used since oav's command line needs a template that its own
// package lacks, and since only the library can be told that it looks at ARM (isArmCall).
const fs = require('fs')
const path = require('path')
const {LiveValidator} = require('oav/dist/lib/liveValidation/liveValidator')

async function validator(spec) {
  const made = new LiveValidator({
    checkUnderFileRoot: false,
    loadValidatorInBackground: false,
    directory: path.dirname(spec),
    swaggerPathsPattern: [path.basename(spec)],
    excludedSwaggerPathsPattern: ['**/examples/**'],
    git: {shouldClone: false},
    isArmCall: true,
  })
  await made.initialize()
  return made
}

function issues(side, result) {
  const found = (result.errors || []).map(one => ({
    side, code: one.code, message: one.message, path: (one.pathsInPayload || [''])[0],
  }))
  const broken = result.runtimeException
  return broken ? [...found, {side, code: broken.code, message: String(broken.message).slice(0, 300), path: ''}] : found
}

async function main() {
  const answers = []
  for (const {spec, payloads} of JSON.parse(fs.readFileSync(0, 'utf-8'))) {
    const checking = await validator(spec)
    for (const file of payloads) {
      const seen = await checking.validateLiveRequestResponse(JSON.parse(fs.readFileSync(file, 'utf-8')))
      const named = seen.requestValidationResult.operationInfo || {}
      answers.push({
        file,
        operation: named.operationId || '',
        issues: [...issues('request', seen.requestValidationResult), ...issues('response', seen.responseValidationResult)],
      })
    }
  }
  fs.writeFileSync(process.argv[2], JSON.stringify(answers))
}

main().then(() => process.exit(0), error => { console.error(error); process.exit(2) })
