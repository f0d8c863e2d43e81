// Preloaded into Azurite when it must not outlive the process that started it, even when that one is killed: the
// parent holds the other end of standard input, and the operating system closes it however the parent ends.
// Azurite ends by having nothing left to wait for, so standard input must not count as something to wait for.
process.stdin.on('end', () => process.kill(process.pid, 'SIGTERM'));
process.stdin.on('error', () => process.kill(process.pid, 'SIGTERM'));
process.stdin.resume();
process.stdin.unref();
