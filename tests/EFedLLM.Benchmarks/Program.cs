using BenchmarkDotNet.Running;
using EFedLLM.Benchmarks;
using EFedLLM.Compression;

if (args is ["checkpoint", var shape, var folder, var tokenizer])
{
    RandomCheckpoint.Write(KnownShapes.Find(shape), folder, tokenizer);
}
else
{
    BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
}
