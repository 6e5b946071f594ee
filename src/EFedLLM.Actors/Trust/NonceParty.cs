namespace EFedLLM.Actors.Trust;

/// <summary>Whose nonce it is. Neither can take the other's commitment for its own.</summary>
public enum NonceParty
{
    /// <summary>Whoever asked for the session.</summary>
    Requester = 1,

    /// <summary>Whoever runs it.</summary>
    Coordinator = 2,
}
