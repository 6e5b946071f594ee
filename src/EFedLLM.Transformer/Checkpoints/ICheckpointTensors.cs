using System.Security.Cryptography;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>The tensors of a checkpoint under the names of <see cref="CheckpointLayout"/>, whatever kind of file they lie in.</summary>
internal interface ICheckpointTensors : IDisposable
{
    /// <summary>What the model's hyper-parameters were read from, for messages.</summary>
    string Configuration { get; }

    /// <summary>The types that weights are read from, for messages.</summary>
    string Readable { get; }

    /// <summary>A tensor's name as the file spells it, for messages.</summary>
    string NameOf(string tensor);

    /// <summary>Whether there is a tensor of that name.</summary>
    bool Contains(string tensor);

    /// <summary>What is known of a tensor, or null where there is none of that name.</summary>
    CheckpointTensor? Find(string tensor);

    /// <summary>Reads a whole tensor that holds weights, in row-major order.</summary>
    void ReadFloat32(string tensor, Span<float> destination);

    /// <summary>Feeds a hash with everything about a tensor: name, type, shape, data.</summary>
    void Hash(string tensor, IncrementalHash hash);
}
