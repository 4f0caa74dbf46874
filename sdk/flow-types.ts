/** Types of groups, decisions, setup and teardown, as authors write them. */
import type { CodeOptions } from './kubernetes-options.ts';
import type { PythonCode } from './operator-types.ts';
import type { Each, EachOf } from './lists.ts';
import type { Json } from './protocol.ts';
import type {
  DagBuilder,
  Inputs,
  JsonOf,
  NoReservedNames,
  TaskArgs,
  TaskDefaults,
  TaskOptions,
  TaskRef,
} from './task-types.ts';

/** Tasks that belong together. In `after` it stands for its last tasks. */
export interface GroupRef<Out = unknown> {
  readonly groupId: string;
  /** What the group's function returned. Results of a mapped group's tasks are lists here. */
  readonly out: Out;
}
/** A task or group to wait for, with a text for the edge. Made by `label`. */
export interface Labelled {
  readonly labelled: TaskRef | GroupRef;
  readonly label: string;
}
export type Upstream = TaskRef | GroupRef | Labelled;

/** Writes a text at the edge: `after: label(check, 'ok')`. */
export const label = (labelled: TaskRef | GroupRef, text: string): Labelled => ({ labelled, label: text });

/** `each()` by argument, or `eachOf()`. */
export type GroupMap = { readonly [argument: string]: Each } | EachOf;
export type ItemOf<Map> =
  Map extends EachOf<infer Row>
    ? Readonly<Row>
    : { readonly [Name in keyof Map]: Map[Name] extends Each<infer Item> ? Item : never };
/** Seen from outside, results of a mapped group are lists. */
type AllOf<Out> =
  Out extends TaskRef<infer One>
    ? TaskRef<Exclude<One, null>[]>
    : Out extends object
      ? { readonly [Name in keyof Out]: AllOf<Out[Name]> }
      : Out;

export interface GroupOptions extends TaskDefaults {
  /** What its first tasks wait for. */
  after?: Upstream | readonly Upstream[];
  /** For people, instead of the id. */
  label?: string | null;
  docs?: string | null;
  /** False: the ids of its tasks do not begin with the group's. */
  prefix?: boolean;
  mapLimit?: number;
  /** Template of a copy's name for people, over its arguments. */
  mapName?: string;
}

export interface Choices {
  readonly [name: string]: TaskRef | GroupRef;
}
/** Names of choices; nothing skips them all. */
type Choice<Of extends Choices> = keyof Of | readonly (keyof Of)[] | null | undefined | void;
type Decided<Of extends Choices> = Choice<Of> | Promise<Choice<Of>>;
interface ChoiceTemplate {
  /** Holds when it renders to something true; left out: otherwise. */
  when?: string;
  then: TaskRef | GroupRef | readonly (TaskRef | GroupRef)[];
}
interface ShortCircuitOptions extends CodeOptions {
  /** True (default): all below is skipped. False: what waits directly is, then trigger rules decide. */
  ignoreTriggerRules?: boolean;
}

/** Branches, groups, setup and teardown. `Item` holds the arguments of the mapped group around. */
export interface FlowBuilder<Params, Item> {
  /** Tasks that belong together; their ids begin with the group's. With `map` they run once per item, each copy by itself. */
  group<const Map extends GroupMap, Out>(
    groupId: string,
    options: GroupOptions & { map: Map & NoReservedNames },
    build: (builder: DagBuilder<Params, Item & ItemOf<Map>>) => Out,
  ): GroupRef<AllOf<Out>>;
  group<Out>(
    groupId: string,
    options: GroupOptions & { map?: never },
    build: (builder: DagBuilder<Params, Item>) => Out,
  ): GroupRef<Out>;
  group<Out>(groupId: string, build: (builder: DagBuilder<Params, Item>) => Out): GroupRef<Out>;
  /** Chooses which of `choices` go on, by their names there. They wait for it, and those not chosen are skipped. */
  branch<Of extends Choices, In extends Inputs>(
    taskId: string,
    options: CodeOptions & { choices: Of; inputs: In & NoReservedNames },
    choose: (args: TaskArgs<In, Params, {}, Item>) => Decided<Of>,
  ): TaskRef<string[]>;
  branch<Of extends Choices>(
    taskId: string,
    options: CodeOptions & { choices: Of; inputs?: never },
    choose: (args: TaskArgs<{}, Params, {}, Item>) => Decided<Of>,
  ): TaskRef<string[]>;
  /** In Python: the function returns the ids of tasks or groups. */
  branch(
    taskId: string,
    options: CodeOptions & PythonCode & { inputs?: Inputs; choices: Choices | readonly (TaskRef | GroupRef)[] },
  ): TaskRef<Json>;
  /** Without code: the first whose template holds. */
  branch(taskId: string, options: CodeOptions & { inputs?: Inputs; choose: readonly ChoiceTemplate[] }): TaskRef<Json>;
  /** Skips what comes after it unless its condition holds. */
  shortCircuit(
    taskId: string,
    holds: (args: TaskArgs<{}, Params, {}, Item>) => boolean | Promise<boolean>,
  ): TaskRef<boolean>;
  shortCircuit<In extends Inputs>(
    taskId: string,
    inputs: In & NoReservedNames,
    holds: (args: TaskArgs<In, Params, {}, Item>) => boolean | Promise<boolean>,
  ): TaskRef<boolean>;
  shortCircuit<In extends Inputs, Options extends ShortCircuitOptions>(
    taskId: string,
    inputs: In & NoReservedNames,
    options: Options,
    holds: (args: TaskArgs<In, Params, Options, Item>) => boolean | Promise<boolean>,
  ): TaskRef<boolean>;
  shortCircuit(
    taskId: string,
    options: ShortCircuitOptions & { inputs?: Inputs } & (PythonCode | { /** Template. */ condition: string }),
  ): TaskRef<Json>;
  /** Skips what waits for it when a later run of the schedule is due already. */
  latestOnly(taskId: string, options?: TaskOptions): TaskRef<null>;
  /** Makes a task a setup: clearing what comes after it clears it too. */
  setup<Ref extends TaskRef>(task: Ref): Ref;
  /** Makes a task a teardown: it runs when all before it has ended, however, if one of its setups succeeded. */
  teardown<Ref extends TaskRef>(
    task: Ref,
    options?: { setups?: TaskRef | readonly TaskRef[]; failsRun?: boolean },
  ): Ref;
  /** The tasks made in `body` run between a setup and its teardown. */
  withSetup<Out>(setup: TaskRef, teardown: TaskRef, body: () => Out): Out;
}

type IsMapped<In> = In extends EachOf
  ? true
  : true extends { [Name in keyof In]: In[Name] extends Each ? true : false }[keyof In]
    ? true
    : false;
/** The result of a task with these inputs. A mapped task's is the list of what its instances returned, without the nulls. */
export type ResultOf<In, Out> =
  IsMapped<In> extends true ? TaskRef<Exclude<JsonOf<Awaited<Out>>, null>[]> : TaskRef<JsonOf<Awaited<Out>>>;
