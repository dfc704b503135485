import { texts } from "../i18n";
import type { Phase } from "./phase";

const en = {
  phases: {
    running: "Running",
    waiting: "Waiting",
    paused: "Paused",
    failed: "Failed",
    done: "Done",
    gone: "File deleted",
  } as Record<Phase, string>,
  upload: "Upload",
  download: "Download",
  progress: (name: string) => `Progress of ${name}`,
  actions: {
    pause: "Pause",
    resume: "Resume",
    cancel: "Cancel",
    retry: "Try again",
    remove: "Remove from the list",
    priority: "Priority",
    limit: "Limit the speed",
    password: "Enter the password",
  },
  /** Why a task failed or waits, by its code. */
  reasons: {
    403: "The space refuses access. Check its credentials.",
    422: "The bytes were wrong twice.",
    499: "Cancelled",
    500: "It failed. The server's log has the reason.",
    503: "It failed for now. The next attempt comes by itself.",
    507: "The disk is full. It goes on when there is room.",
    60001: "There is no such file.",
    60004: "The password is missing or wrong.",
  } as Record<number, string>,
  noSpace: "The space has no room.",
  codeOnly: (code: number) => `Code ${code}`,
};

const zh: typeof en = {
  phases: {
    running: "传输中",
    waiting: "等待中",
    paused: "已暂停",
    failed: "失败",
    done: "已完成",
    gone: "文件已删除",
  },
  upload: "上传",
  download: "下载",
  progress: (name) => `${name} 的进度`,
  actions: {
    pause: "暂停",
    resume: "继续",
    cancel: "取消",
    retry: "重试",
    remove: "从列表中移除",
    priority: "优先级",
    limit: "限制速度",
    password: "输入密码",
  },
  reasons: {
    403: "空间拒绝访问，请检查访问凭据。",
    422: "数据两次校验均不一致。",
    499: "已取消",
    500: "传输失败，原因见服务器日志。",
    503: "暂时失败，稍后会自动重试。",
    507: "磁盘已满，有空间后会自动继续。",
    60001: "文件不存在。",
    60004: "缺少密码或密码错误。",
  },
  noSpace: "存储空间不足。",
  codeOnly: (code) => `代码 ${code}`,
};

export const text = texts({ en, zh });

/** Why the task failed or waits; empty if there is nothing to say. */
export function reasonOf({ type, status, code }: { type: number; status: number; code: number }): string {
  const t = text();
  if (type === 0 && status === 5) return t.noSpace;
  return code === 0 ? "" : (t.reasons[code] ?? t.codeOnly(code));
}
