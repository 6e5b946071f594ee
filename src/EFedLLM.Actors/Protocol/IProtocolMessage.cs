namespace EFedLLM.Actors.Protocol;

/// <summary>A message that may leave the process. Every implementation has a protobuf form in <c>Protocol/Wire</c>; a test finds them by reflection and round-trips each.</summary>
public interface IProtocolMessage;

/// <summary>A message that asks for a change.</summary>
public interface ICommand : IProtocolMessage;

/// <summary>A message that says what happened.</summary>
public interface IEvent : IProtocolMessage;

/// <summary>A message that asks for facts and changes nothing.</summary>
public interface IQuery : IProtocolMessage;
