namespace EFedLLM.Actors.Blobs;

/// <summary>A peer has too much to do now.</summary>
internal sealed class PeerBusyException() : IOException("it has too much to do");
