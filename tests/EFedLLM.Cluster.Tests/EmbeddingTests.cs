using System.ClientModel;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Tokenizers;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Embeddings;

namespace EFedLLM.Cluster.Tests;

/// <summary>A BERT served by real processes to the official client.</summary>
public class EmbeddingTests
{
    private const string Model = "bert-tiny-sst2";

    [SharedFact]
    public async Task Up_serves_the_embeddings_of_a_bert_and_refuses_to_chat_with_it()
    {
        await using var cluster = await RunningCluster.StartAsync(2, null, null, "--model", SharedModels.Model(Model));
        var client = new OpenAIClient(new ApiKeyCredential("none"), new OpenAIClientOptions { Endpoint = new Uri(cluster.Report.OpenAi) });
        string[] texts = ["a charming film", "a delightful movie", "the engine needs oil"];

        OpenAIEmbeddingCollection embeddings = await client.GetEmbeddingClient(Model).GenerateEmbeddingsAsync(texts);

        Assert.Equal(Local(cluster, texts), embeddings.Select(embedding => embedding.ToFloats().ToArray()));
        Assert.Equal(texts.Sum(text => Tokenizer().Encode(text).Length), embeddings.Usage.TotalTokenCount);
        Assert.Equal(Model, embeddings.Model);

        var refused = await Assert.ThrowsAsync<ClientResultException>(() => client.GetChatClient(Model).CompleteChatAsync([new UserChatMessage("Hi")]));
        Assert.Equal(400, refused.Status);
        Assert.Contains("encoder", refused.Message, StringComparison.Ordinal);
        var tooLong = await Assert.ThrowsAsync<ClientResultException>(() => client.GetEmbeddingClient(Model).GenerateEmbeddingAsync(string.Join(' ', Enumerable.Repeat("film", 600))));
        Assert.Contains("context_length_exceeded", tooLong.GetRawResponse()!.Content.ToString(), StringComparison.Ordinal);
    }

    private static ModelTokenizer Tokenizer() => ModelTokenizer.Load(SharedModels.Model(Model));

    /// <summary>The same from the folder that the cluster made, in this process.</summary>
    private static float[][] Local(RunningCluster cluster, string[] texts)
    {
        var id = cluster.Report.Cluster.Models.Single().Id;
        var folder = Directory.EnumerateDirectories(Path.Combine(TestHome.Path, "models")).Single(folder =>
        {
            using var candidate = FactoredModel.Open(folder);
            return candidate.Id.Value == id;
        });
        using var source = FactoredModel.Open(folder);
        using var team = new ComputeTeam(1);
        using var encoder = new LocalEncoder(source, team);
        return [.. texts.Select(text =>
        {
            var vector = encoder.Encode(Tokenizer().Encode(text), SequenceOutput.Mean);
            SequencePooling.Normalize(vector);
            return vector;
        })];
    }
}
