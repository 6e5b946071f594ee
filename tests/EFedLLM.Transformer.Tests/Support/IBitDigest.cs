namespace EFedLLM.Transformer.Tests.Support;

/// <summary>
/// Results whose bits must be the same on every processor. Has a parameterless constructor, so that another process can
/// make one; takes no input but what it makes itself from fixed seeds.
/// </summary>
internal interface IBitDigest
{
    /// <summary>Computes, with whatever the process's processor offers, and puts every result into <paramref name="results"/>.</summary>
    void Compute(BitResults results);
}
