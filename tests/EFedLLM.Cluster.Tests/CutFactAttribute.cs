namespace EFedLLM.Cluster.Tests;

/// <summary>A test that cuts a network. It is skipped, with the reason, where this machine cannot have a second one.</summary>
internal sealed class CutFactAttribute : FactAttribute
{
    public CutFactAttribute() => Skip = CutNetwork.WhyNot;
}
