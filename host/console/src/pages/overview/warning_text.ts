/** The warnings of the server in the language of the page. docs/admin.md lists them. */
import type { Warning } from "../../admin";
import { ago, bytes, number } from "../../format";
import { texts } from "../../i18n";

type Values = NonNullable<Warning["parameters"]>;

interface Text {
  message: string;
  action: string;
}

/** A parameter as a size, a number, a time, or the text that it is. */
const size = (value: Values[string] | undefined) => (typeof value === "number" ? bytes(value) : "–");
const count = (value: Values[string] | undefined) => number(Number(value ?? 0));
const when = (value: Values[string] | undefined) => (typeof value === "number" ? ago(value) : "–");
const plain = (value: Values[string] | undefined) => String(value ?? "");

const en = {
  "space-away": ({ since, reason }: Values): Text => ({
    message: `The space cannot be reached. It went away ${when(since)}: ${plain(reason)}`,
    action:
      "Check that its disk is mounted, or that the network and the credentials work. Changes and transfers wait and go on by themselves.",
  }),
  "outbox-waits": ({ changes, since }: Values): Text => ({
    message: `${count(changes)} changes wait for their way into the space. The last one left ${when(since)}.`,
    action: "See the server's log for the reason. Check that this server may write to the space.",
  }),
  "disk-low": ({ dir, free }: Values): Text => ({
    message: `The disk of ${plain(dir)} has only ${size(free)} free.`,
    action:
      "Remove files that nobody needs, or move the data directory to a larger disk. Without room, calls and transfers fail.",
  }),
  "backup-failed": ({ to, reason, last }: Values): Text => ({
    message: `A backup to ${plain(to)} failed. ${last === null ? "There is none" : `The newest one was made ${when(last)}`}: ${plain(reason)}`,
    action:
      "Check that the place of the backups is there, has room and takes the credentials. The server tries again by itself if backups are scheduled.",
  }),
  "database-failed": ({ at }: Values): Text => ({
    message: `The database could not write, ${when(at)}.`,
    action: "Check the disk of the data directory for room and for errors. The server's log has the reason.",
  }),
  "rolled-back": ({ generation, reason }: Values): Text => ({
    message: `A new version was rolled back, and generation ${plain(generation)} serves: ${plain(reason)}`,
    action: "Correct the module, check it with a recording, and swap it in again.",
  }),
  "canary-aborted": ({ reason }: Values): Text => ({
    message: `A version on trial was given up: ${plain(reason)}`,
    action: "Correct the module, and try it again as a shadow or a canary.",
  }),
  "version-failed": ({ generation, reason }: Values): Text => ({
    message: `A version of generation ${plain(generation)} does badly and stays live: ${plain(reason)}`,
    action: "Swap in a corrected version.",
  }),
  "trial-worse": ({ module, trial, faults, errors, calls }: Values): Text => ({
    message: `${plain(module)}: the version on ${trial === "canary" ? "canary" : "probation"} did worse in ${count(Number(faults) + Number(errors))} of ${count(calls)} calls.`,
    action: "Look at the calls on the page Modules. Abort the canary, or roll back.",
  }),
  "module-fails": ({ module, traps, deadlines, at }: Values): Text => ({
    message: `${plain(module)}: ${count(traps)} calls trapped and ${count(deadlines)} ran out of time since it was loaded, the last one ${when(at)}.`,
    action: "Read the module's log on the page Modules. Roll back, or swap in a corrected version.",
  }),
  "recording-ended": ({ file, calls }: Values): Text => ({
    message: `The recording to ${plain(file)} ended by itself after ${count(calls)} calls. It reached its bound, or the disk failed.`,
    action: "Stop it with stowage record --stop: that closes the file and says what it holds.",
  }),
  "transfers-failed": (values: Values): Text => ({
    message: `${count(values["count"])} transfers failed, and nobody has seen them.`,
    action: "Look at the page Transfers. Try them again, or remove them.",
  }),
  "server-errors": (values: Values): Text => ({
    message: `The server logged ${count(values["count"])} errors since it started, the last one ${when(values["at"])}: ${plain(values["last"])}`,
    action: "Read the server's log.",
  }),
};

const zh: typeof en = {
  "space-away": ({ since, reason }) => ({
    message: `无法访问存储空间（${when(since)}开始）：${plain(reason)}`,
    action: "请确认空间所在磁盘已挂载，网络与访问凭据正常。更改和传输会等待，恢复后自动继续。",
  }),
  "outbox-waits": ({ changes, since }) => ({
    message: `有 ${count(changes)} 项更改等待写入存储空间，上一次写入在${when(since)}。`,
    action: "原因见服务器日志。请确认服务器有权写入该空间。",
  }),
  "disk-low": ({ dir, free }) => ({
    message: `${plain(dir)} 所在磁盘仅剩 ${size(free)}。`,
    action: "请清理不需要的文件，或将数据目录移到更大的磁盘。空间耗尽后调用和传输都会失败。",
  }),
  "backup-failed": ({ to, reason, last }) => ({
    message: `备份到 ${plain(to)} 失败，${last === null ? "尚无任何备份" : `最近一次备份在${when(last)}`}：${plain(reason)}`,
    action: "请确认备份位置可访问、有剩余空间且凭据有效。若已设置定时备份，服务器会自动重试。",
  }),
  "database-failed": ({ at }) => ({
    message: `数据库写入失败（${when(at)}）。`,
    action: "请检查数据目录所在磁盘的剩余空间和健康状况，具体原因见服务器日志。",
  }),
  "rolled-back": ({ generation, reason }) => ({
    message: `新版本已自动回滚，当前为第 ${plain(generation)} 代：${plain(reason)}`,
    action: "请修正模块，用录制的调用检查后再次替换。",
  }),
  "canary-aborted": ({ reason }) => ({
    message: `试用中的版本已被终止：${plain(reason)}`,
    action: "请修正模块，再以影子对比或灰度方式试用。",
  }),
  "version-failed": ({ generation, reason }) => ({
    message: `第 ${plain(generation)} 代中有版本表现不佳，但仍在使用：${plain(reason)}`,
    action: "请替换为修正后的版本。",
  }),
  "trial-worse": ({ module, trial, faults, errors, calls }) => ({
    message: `${plain(module)}：${trial === "canary" ? "灰度" : "观察期"}版本在 ${count(calls)} 次调用中有 ${count(Number(faults) + Number(errors))} 次不如旧版本。`,
    action: "请在“模块”页查看这些调用，然后终止灰度或回滚。",
  }),
  "module-fails": ({ module, traps, deadlines, at }) => ({
    message: `${plain(module)}：加载以来有 ${count(traps)} 次调用崩溃、${count(deadlines)} 次超时，最近一次在${when(at)}。`,
    action: "请在“模块”页查看该模块的日志，然后回滚或替换为修正后的版本。",
  }),
  "recording-ended": ({ file, calls }) => ({
    message: `录制 ${plain(file)} 在 ${count(calls)} 次调用后自行结束，可能已达上限或磁盘出错。`,
    action: "请运行 stowage record --stop，它会关闭文件并说明其中的内容。",
  }),
  "transfers-failed": (values) => ({
    message: `有 ${count(values["count"])} 项传输失败，尚未查看。`,
    action: "请到“传输”页重试或移除它们。",
  }),
  "server-errors": (values) => ({
    message: `服务器启动以来记录了 ${count(values["count"])} 个错误，最近一个在${when(values["at"])}：${plain(values["last"])}`,
    action: "请查看服务器日志。",
  }),
};

const text = texts<Record<string, (values: Values) => Text>>({ en, zh });

/** A warning of a newer server, or one without its values, is shown as the server wrote it. */
export function translated({ id, message, action, parameters }: Warning): Text {
  const translate = parameters && text()[id];
  return translate ? translate(parameters) : { message: sentence(message), action };
}

function sentence(message: string): string {
  return message.charAt(0).toUpperCase() + message.slice(1);
}
