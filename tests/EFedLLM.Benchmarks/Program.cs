using BenchmarkDotNet.Running;
using EFedLLM.Benchmarks;
using EFedLLM.Compression;

if (args is ["checkpoint", var shape, var folder, var tokenizer])
{
    RandomCheckpoint.Write(KnownShapes.Find(shape), folder, tokenizer);
}
else if (args is ["gguf", var size, var type, var file])
{
    RandomGguf.Write(KnownShapes.Find(size), type, file);
}
else
{
    BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
}
