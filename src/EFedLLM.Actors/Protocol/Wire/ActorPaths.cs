using Akka.Actor;
using Akka.Serialization;

namespace EFedLLM.Actors.Protocol.Wire;

/// <summary>Actor references as the texts in which they travel.</summary>
internal sealed class ActorPaths(ExtendedActorSystem system)
{
    /// <summary>Most characters of a serialised path.</summary>
    public const int MaxCharacters = 1024;

    /// <summary>The full path of <paramref name="actor"/>, with this node's address where it is local.</summary>
    /// <exception cref="ArgumentException">The path is longer than any receiver accepts.</exception>
    public string Write(IActorRef actor)
    {
        ArgumentNullException.ThrowIfNull(actor);
        var path = Serialization.SerializedActorPath(actor);
        return path.Length is > 0 and <= MaxCharacters
            ? path
            : throw new ArgumentException($"The path of {actor.Path} does not fit {MaxCharacters} characters.", nameof(actor));
    }

    /// <summary>The actor at <paramref name="path"/>. It need not exist: then messages to it are dead letters.</summary>
    /// <param name="path">A serialised path.</param>
    /// <param name="field">The field it comes from.</param>
    /// <exception cref="MalformedMessageException">It is no actor's full path.</exception>
    public IActorRef Read(string path, string field)
    {
        try
        {
            if (path.Length <= MaxCharacters && ActorPath.TryParse(path, out _))
            {
                return system.Provider.ResolveActorRef(path);
            }
        }
        catch (Exception e) when (e is FormatException or OverflowException or ArgumentException)
        {
            // TryParse accepts some paths that resolving then trips over, for example a uid that is no number.
            throw new MalformedMessageException($"{field} is not an actor path: {e.Message}", e);
        }

        throw new MalformedMessageException($"{field} is not an actor path of at most {MaxCharacters} characters.");
    }
}
