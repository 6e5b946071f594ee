namespace EFedLLM.Transformer.Kernels;

/// <summary>A loop body whose iterations are independent, so that threads may share them in any order.</summary>
public interface IParallelWork
{
    /// <summary>Does the iterations <c>[from, to)</c>.</summary>
    void Run(int from, int to);
}
