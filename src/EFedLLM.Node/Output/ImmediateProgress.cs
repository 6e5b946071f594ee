namespace EFedLLM.Node.Output;

/// <summary>Reports on the thread that works: <see cref="Progress{T}"/> would report later and out of order where there is no user interface's thread.</summary>
internal sealed class ImmediateProgress<T>(Action<T> report) : IProgress<T>
{
    /// <inheritdoc/>
    public void Report(T value) => report(value);
}
