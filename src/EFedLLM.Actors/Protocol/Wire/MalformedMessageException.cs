using System.Runtime.Serialization;

namespace EFedLLM.Actors.Protocol.Wire;

/// <summary>
/// Bytes that are no message of ours: cut off, beyond a limit of <see cref="ProtocolLimits"/>, or without sense.
/// Akka.Remote logs it and drops the message; the connection to the sender lives on.
/// </summary>
public sealed class MalformedMessageException : SerializationException
{
    /// <summary>Without a reason.</summary>
    public MalformedMessageException()
        : base("The message is malformed.")
    {
    }

    /// <summary>With a reason: which field of which message, and what is wrong with it.</summary>
    public MalformedMessageException(string message)
        : base(message)
    {
    }

    /// <summary>With a reason and its cause.</summary>
    public MalformedMessageException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
