using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Transformer.Generation;

/// <summary>Tells texts apart with an encoder that has a classifier (<c>BertForSequenceClassification</c>), in this process. One call at a time.</summary>
public sealed class SequenceClassifier : IDisposable
{
    private readonly IModelSource _source;
    private readonly LocalEncoder _encoder;
    private readonly ModelTokenizer _tokenizer;

    private SequenceClassifier(IModelSource source, ComputeTeam team)
    {
        if (source.Shape.OutputWidth(SequenceOutput.Classes) == 0)
        {
            throw new NotSupportedException($"\"{source.Folder}\" holds a {source.Shape.Architecture}, which has no classifier: use a BertForSequenceClassification.");
        }

        (_source, _tokenizer, _encoder) = (source, ModelTokenizer.Load(source.Folder), new LocalEncoder(source, team));
    }

    /// <summary>The model's hyper-parameters.</summary>
    public ModelShape Shape => _encoder.Shape;

    /// <summary>Number of classes.</summary>
    public int Classes => Shape.OutputWidth(SequenceOutput.Classes);

    /// <summary>Opens a model folder: a factored model, or a checkpoint, which is computed in float32.</summary>
    /// <param name="folder">The folder, with its tokenizer.</param>
    /// <param name="team">The threads that compute; they stay the caller's.</param>
    /// <exception cref="FileNotFoundException">A file is missing; the message names it.</exception>
    /// <exception cref="InvalidDataException">A file is malformed; the message says which.</exception>
    /// <exception cref="NotSupportedException">The model has no classifier, or needs something that is not supported.</exception>
    public static SequenceClassifier Open(string folder, ComputeTeam team)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(team);
        IModelSource source = FactoredModel.IsFactored(folder) ? FactoredModel.Open(folder) : Checkpoint.Open(folder);
        try
        {
            return new SequenceClassifier(source, team);
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    /// <summary>The logits of a text's classes, [<see cref="Classes"/>].</summary>
    /// <exception cref="ArgumentException">The text has more tokens than the model has positions.</exception>
    /// <exception cref="ArithmeticException">The model computed a value that is not finite.</exception>
    public float[] Classify(string text) => Classify([text])[0];

    /// <summary>The logits of several texts, computed as one batch: the same bits as one by one.</summary>
    /// <param name="texts">The texts, at least one.</param>
    /// <exception cref="ArgumentException">There are no texts, or one has more tokens than the model has positions.</exception>
    /// <exception cref="ArithmeticException">The model computed a value that is not finite.</exception>
    public float[][] Classify(IReadOnlyList<string> texts)
    {
        ArgumentNullException.ThrowIfNull(texts);
        return _encoder.Encode([.. texts.Select(text => (ReadOnlyMemory<int>)_tokenizer.Encode(text))], SequenceOutput.Classes);
    }

    /// <summary>Releases the model.</summary>
    public void Dispose()
    {
        _encoder.Dispose();
        _source.Dispose();
    }
}
