namespace EFedLLM.Benchmarks;

/// <summary>A benchmark that says how many bytes one call reads, so that a rate can stand beside its time.</summary>
internal interface IReadsMemory
{
    /// <summary>Bytes that one call of a benchmark reads with the parameters that are set.</summary>
    /// <param name="benchmark">The method's name.</param>
    long BytesOf(string benchmark);
}
