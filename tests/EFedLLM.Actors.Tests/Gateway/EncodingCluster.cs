using EFedLLM.Tests.Support;

namespace EFedLLM.Actors.Tests.Gateway;

/// <summary>The same cluster with encoders: a BERT in float32 and in int8, and a model that generates beside them.</summary>
public sealed class EncodingCluster : GenerationCluster
{
    private protected override IReadOnlyList<string> MakeFolders(string scratch) =>
        [SharedModels.Model("bert-tiny-sst2"), Int8(scratch, "bert-tiny-sst2"), SharedModels.Model("stories260K")];
}
