using Akka.Actor;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Blobs;

/// <summary>A peer gave something that is not the file it was asked for: proven by the file's hash.</summary>
/// <param name="Peer">The peer.</param>
/// <param name="Name">Its name for people.</param>
/// <param name="Model">The model.</param>
/// <param name="Unit">The unit whose file it is; -1 for the manifest.</param>
/// <param name="Sha256">The file.</param>
public sealed record BlobFault(DeviceId Peer, string Name, ModelId Model, int Unit, string Sha256) : INoSerializationVerificationNeeded;
