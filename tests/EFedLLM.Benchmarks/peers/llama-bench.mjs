#!/usr/bin/env node
// Measures llama.cpp with the library that the packages @node-llama-cpp/... carry, called directly and without anything in between.
// The command line, the order of the work and the names of the result are those of llama.cpp's own llama-bench, which is in no package:
// batches of 2048 and 512 tokens, one warm-up, an empty cache before each repetition, threads that stay and spin, no sampling.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import koffi from 'koffi';

const BATCH = 2048;
const FEATURES = /\b(AVX|AVX2|AVX512\w*|AVX_VNNI|FMA|F16C|BMI2|NEON|DOTPROD|MATMUL_INT8|SVE|REPACK|LLAMAFILE|OPENMP) = 1/g;
const USAGE = 'llama-bench.mjs -m <file.gguf> [-t threads] [-p prompt tokens] [-n generated tokens] [-r repetitions] [-o json|jsonl] [-ngl 0] [--library <folder>]';

class UsageError extends Error {}

function options() {
  // Its single dash before more than one letter is llama-bench's own.
  const given = process.argv.slice(2).map(word => (word === '-ngl' ? '--n-gpu-layers' : word));
  const { values } = parseArgs({
    args: given,
    options: {
      model: { type: 'string', short: 'm' },
      threads: { type: 'string', short: 't', default: '1' },
      'n-prompt': { type: 'string', short: 'p', default: '512' },
      'n-gen': { type: 'string', short: 'n', default: '128' },
      repetitions: { type: 'string', short: 'r', default: '5' },
      output: { type: 'string', short: 'o', default: 'json' },
      'n-gpu-layers': { type: 'string', default: '0' },
      library: { type: 'string' },
    },
  });
  if (!values.model) throw new UsageError('-m is missing');
  if (!existsSync(values.model)) throw new UsageError(`there is no file ${values.model}`);
  if (!['json', 'jsonl'].includes(values.output)) throw new UsageError('-o must be json or jsonl');
  if (values['n-gpu-layers'] !== '0') throw new UsageError('-ngl must be 0: only processors are measured');
  return {
    model: values.model,
    threads: whole('-t', values.threads, 1, 512),
    prompt: whole('-p', values['n-prompt'], 0, 1 << 16),
    generated: whole('-n', values['n-gen'], 0, 1 << 16),
    repetitions: whole('-r', values.repetitions, 1, 1000),
    output: values.output,
    library: values.library ?? packagedLibrary(),
  };
}

function whole(name, text, least, most) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most) throw new UsageError(`${name} must be a whole number from ${least} to ${most}`);
  return value;
}

function packagedLibrary() {
  const name = `@node-llama-cpp/${process.platform}-${process.arch}`;
  try {
    const root = dirname(dirname(createRequire(import.meta.url).resolve(name)));
    return join(root, 'bins', `${process.platform}-${process.arch}`);
  } catch {
    throw new UsageError(`the package ${name} is not installed: run npm install beside this file, or say --library <folder with libllama>`);
  }
}

/** The library of that name, whatever version its file's name carries. */
function load(folder, name) {
  const file = readdirSync(folder).find(entry => entry.startsWith(`lib${name}.`));
  if (!file) throw new UsageError(`there is no lib${name} in ${folder}`);
  return koffi.load(join(folder, file), { global: true });
}

/** The functions that are called, as llama.h and ggml-backend.h declare them. */
function bind(folder) {
  // Passed by value and larger than the real ones, of which only the first fields are known here: the rest goes through as it came.
  koffi.struct('ModelParams', { rest: koffi.array('uint64_t', 64) });
  koffi.struct('ContextParams', { n_ctx: 'uint32_t', n_batch: 'uint32_t', n_ubatch: 'uint32_t', next: 'uint32_t', rest: koffi.array('uint64_t', 62) });
  koffi.struct('Batch', { n_tokens: 'int32_t', token: 'int32_t *', embd: 'void *', pos: 'void *', n_seq_id: 'void *', seq_id: 'void *', logits: 'void *' });
  koffi.struct('ThreadParams', { cpumask: koffi.array('uint8_t', 512), n_threads: 'int', prio: 'int', poll: 'uint32_t', strict_cpu: 'bool', paused: 'bool' });
  koffi.proto('void Log(int level, const char *text, void *data)');
  koffi.proto('void *NewPool(ThreadParams *params)');
  const base = load(folder, 'ggml-base');
  const ggml = load(folder, 'ggml');
  const llama = load(folder, 'llama');
  return {
    threadParams: base.func('void ggml_threadpool_params_init(_Out_ ThreadParams *params, int threads)'),
    loadBackends: ggml.func('void ggml_backend_load_all_from_path(const char *folder)'),
    backendOf: ggml.func('void *ggml_backend_reg_by_name(const char *name)'),
    procedure: base.func('void *ggml_backend_reg_get_proc_address(void *backend, const char *name)'),
    log: llama.func('void llama_log_set(Log *callback, void *data)'),
    init: llama.func('void llama_backend_init()'),
    systemInfo: llama.func('const char *llama_print_system_info()'),
    modelDefaults: llama.func('ModelParams llama_model_default_params()'),
    loadModel: llama.func('void *llama_model_load_from_file(const char *path, ModelParams params)'),
    describe: llama.func('int llama_model_desc(void *model, _Out_ char *text, size_t length)'),
    bytesOf: llama.func('uint64_t llama_model_size(void *model)'),
    parametersOf: llama.func('uint64_t llama_model_n_params(void *model)'),
    vocabularyOf: llama.func('void *llama_model_get_vocab(void *model)'),
    tokensOf: llama.func('int32_t llama_vocab_n_tokens(void *vocabulary)'),
    contextDefaults: llama.func('ContextParams llama_context_default_params()'),
    newContext: llama.func('void *llama_init_from_model(void *model, ContextParams params)'),
    setThreads: llama.func('void llama_set_n_threads(void *context, int32_t threads, int32_t batchThreads)'),
    threadsOf: llama.func('int32_t llama_n_threads(void *context)'),
    attachPool: llama.func('void llama_attach_threadpool(void *context, void *pool, void *batchPool)'),
    memoryOf: llama.func('void *llama_get_memory(void *context)'),
    clear: llama.func('void llama_memory_clear(void *memory, bool data)'),
    batchOf: llama.func('Batch llama_batch_get_one(int32_t *tokens, int32_t count)'),
    decode: llama.func('int32_t llama_decode(void *context, Batch batch)'),
    synchronise: llama.func('void llama_synchronize(void *context)'),
  };
}

class Session {
  constructor(settings, said) {
    const api = bind(settings.library);
    this.api = api;
    api.log(koffi.register((level, text) => said.push(text), koffi.pointer('Log')), null);
    api.loadBackends(settings.library);
    api.init();
    this.model = api.loadModel(settings.model, api.modelDefaults());
    if (!this.model) throw new Error(`llama.cpp does not load ${settings.model}`);
    const length = Math.max(settings.prompt, settings.generated);
    this.context = api.newContext(this.model, { ...api.contextDefaults(), n_ctx: length, n_batch: BATCH, n_ubatch: BATCH / 4 });
    if (!this.context) throw new Error(`llama.cpp makes no context of ${length} tokens`);
    this.setThreads(settings.threads);
    this.vocabulary = Math.max(1, api.tokensOf(api.vocabularyOf(this.model)));
    // A token's address stays the same, so that a batch can be made once.
    this.tokens = koffi.alloc('int32_t', Math.max(length, 1));
    this.seed = 1;
  }

  setThreads(threads) {
    const { api } = this;
    api.setThreads(this.context, threads, threads);
    if (api.threadsOf(this.context) !== threads) throw new Error(`llama.cpp takes ${api.threadsOf(this.context)} threads instead of ${threads}`);
    const make = api.procedure(api.backendOf('CPU'), 'ggml_threadpool_new');
    if (!make) throw new Error('llama.cpp has no threads that stay');
    const params = {};
    api.threadParams(params, threads);
    const pool = koffi.call(make, 'NewPool', params);
    if (!pool) throw new Error(`llama.cpp makes no ${threads} threads`);
    api.attachPool(this.context, pool, pool);
  }

  /** Fills the batch with tokens from all of the vocabulary. */
  draw(count) {
    const drawn = new Int32Array(koffi.view(this.tokens, count * 4));
    for (let i = 0; i < count; i++) {
      this.seed = (Math.imul(this.seed, 1664525) + 1013904223) >>> 0;
      drawn[i] = this.seed % this.vocabulary;
    }
  }

  step(batch) {
    const answer = this.api.decode(this.context, batch);
    if (answer !== 0) throw new Error(`llama.cpp answers ${answer} to a batch of ${batch.n_tokens} tokens`);
    this.api.synchronise(this.context);
  }

  empty() {
    this.api.clear(this.api.memoryOf(this.context), false);
  }

  /** Nanoseconds to read a prompt. */
  prefill(count) {
    this.empty();
    const start = process.hrtime.bigint();
    for (let done = 0; done < count; done += BATCH) {
      const part = Math.min(BATCH, count - done);
      this.draw(part);
      this.step(this.api.batchOf(this.tokens, part));
    }

    return Number(process.hrtime.bigint() - start);
  }

  /** Nanoseconds to generate tokens one by one, each with its logits. */
  generate(count) {
    this.empty();
    const batch = this.api.batchOf(this.tokens, 1);
    const start = process.hrtime.bigint();
    for (let done = 0; done < count; done++) {
      this.draw(1);
      this.step(batch);
    }

    return Number(process.hrtime.bigint() - start);
  }

  describe() {
    const text = ['\0'.repeat(128)];
    this.api.describe(this.model, text, 128);
    return text[0];
  }
}

function average(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function deviation(values) {
  const mean = average(values);
  return values.length < 2 ? 0 : Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}

function processor() {
  const line = existsSync('/proc/cpuinfo') && readFileSync('/proc/cpuinfo', 'utf8').split('\n').find(text => text.startsWith('model name'));
  return line ? line.slice(line.indexOf(':') + 1).trim() : process.arch;
}

function facts(session, settings, said) {
  const metadata = join(settings.library, '_nlcBuildMetadata.json');
  const build = existsSync(metadata) ? JSON.parse(readFileSync(metadata, 'utf8')).buildOptions?.llamaCpp?.release : undefined;
  const backend = said.join('').match(/libggml-cpu-?[\w-]*/)?.[0];
  return {
    build_commit: build ?? 'unknown',
    cpu_info: processor(),
    backends: 'CPU',
    cpu_backend: backend ?? 'unknown',
    cpu_features: [...session.api.systemInfo().matchAll(FEATURES)].map(match => match[1]).join(' '),
    model_filename: settings.model,
    model_type: session.describe(),
    model_size: Number(session.api.bytesOf(session.model)),
    model_n_params: Number(session.api.parametersOf(session.model)),
    n_batch: BATCH,
    n_ubatch: BATCH / 4,
    n_threads: settings.threads,
    n_gpu_layers: 0,
  };
}

function result(common, prompt, generated, nanoseconds) {
  const rates = nanoseconds.map(time => (prompt + generated) / time * 1e9);
  return {
    ...common,
    n_prompt: prompt,
    n_gen: generated,
    n_depth: 0,
    test_time: new Date().toISOString(),
    avg_ns: Math.round(average(nanoseconds)),
    stddev_ns: Math.round(deviation(nanoseconds)),
    avg_ts: average(rates),
    stddev_ts: deviation(rates),
    samples_ns: nanoseconds,
    samples_ts: rates,
  };
}

function repeat(count, work) {
  return Array.from({ length: count }, work);
}

function main() {
  const said = [];
  try {
    const settings = options();
    if (!statSync(settings.library).isDirectory()) throw new UsageError(`${settings.library} is no folder`);
    const session = new Session(settings, said);
    const common = facts(session, settings, said);
    const results = [];
    if (settings.prompt > 0) {
      session.prefill(settings.prompt);
      results.push(result(common, settings.prompt, 0, repeat(settings.repetitions, () => session.prefill(settings.prompt))));
    }

    if (settings.generated > 0) {
      session.generate(1);
      results.push(result(common, 0, settings.generated, repeat(settings.repetitions, () => session.generate(settings.generated))));
    }

    const text = settings.output === 'json' ? JSON.stringify(results, null, 2) : results.map(item => JSON.stringify(item)).join('\n');
    process.stdout.write(`${text}\n`, () => process.exit(0));
  } catch (error) {
    const usage = error instanceof UsageError || error.code?.startsWith('ERR_PARSE_ARGS');
    process.stderr.write(`${usage ? '' : said.slice(-5).join('')}llama-bench.mjs: ${error.message}\n${usage ? `${USAGE}\n` : ''}`, () => process.exit(usage ? 2 : 1));
  }
}

main();
