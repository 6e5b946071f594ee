using Akka.Actor;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Reputation;

/// <summary>A device's entity to the examiner of its node: have it compute golden vectors. Answered by <see cref="DeviceExamined"/>.</summary>
/// <param name="Device">The device.</param>
internal sealed record ExamineDevice(DeviceId Device) : INoSerializationVerificationNeeded;

/// <summary>What came of <see cref="ExamineDevice"/>.</summary>
/// <param name="Device">The device.</param>
/// <param name="IsSound">Whether all it computed was right; null where it did not answer, or nobody could ask it now.</param>
internal sealed record DeviceExamined(DeviceId Device, bool? IsSound) : INoSerializationVerificationNeeded;
